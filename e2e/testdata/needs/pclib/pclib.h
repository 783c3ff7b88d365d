#define MORE 0
int pclib(void);

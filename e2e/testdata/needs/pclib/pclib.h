int pclib(void);

#include <dyn/dyn.h>
int dyn(void) { return 7; }

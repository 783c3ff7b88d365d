#include "pclib.h"
int pclib(void) { return 25; }

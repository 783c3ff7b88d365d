#pragma once
int dyn(void);

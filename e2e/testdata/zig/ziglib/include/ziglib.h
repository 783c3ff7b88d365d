unsigned long long ziglib_sum(const unsigned *numbers, unsigned long count);

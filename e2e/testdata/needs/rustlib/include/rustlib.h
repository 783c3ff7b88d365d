int rustlib(int n);

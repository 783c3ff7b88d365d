/* Counts the primes below n; composite holds n zeroes. */
int sieve(unsigned char *composite, int n) {
    int count = 0;
    for (int i = 2; i < n; i++) {
        if (composite[i])
            continue;
        count++;
        for (long long j = (long long)i * i; j < n; j += i)
            composite[j] = 1;
    }
    return count;
}

/* libgcc's unwinder asks by this name, of glibc's, whether there are threads (gthr-posix.h, GTHREAD_ACTIVE_PROXY), and calls it never. musl's libc.a has it, which then counts; musl's
   dynamic library keeps it to itself, so that a shared object has to bring its own or cannot be loaded. */
#include <pthread.h>

__attribute__((weak, visibility("hidden"))) int __pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

int __pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
	return pthread_key_create(key, destructor);
}

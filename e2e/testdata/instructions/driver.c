/* Calls go() of each library that it is given, in a process of its own, and says how that ended. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int status = 0;
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			void *lib = dlopen(argv[i], RTLD_NOW);
			int (*go)(int) = lib ? (int (*)(int))dlsym(lib, "go") : 0;
			if (!go) {
				fprintf(stderr, "%s\n", dlerror());
				_exit(3);
			}
			_exit(go(1) == 41 ? 0 : 4);
		}
		waitpid(child, &status, 0);
		printf("%s %d %d\n", argv[i], WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	}
	return 0;
}

/* Prints a line every now and then, and handles no signal. */

#include <stdio.h>
#include <unistd.h>

int main(void)
{
	for (unsigned ticks = 1;; ticks++) {
		printf("tick %u\n", ticks);
		fflush(stdout);
		sleep(1);
	}
}

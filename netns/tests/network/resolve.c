/* Prints what this C library makes of a name: one address a line, in the order of the numbers, or the error. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct addrinfo hints, *list, *one;
	char text[INET6_ADDRSTRLEN];
	int error;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	error = getaddrinfo(argv[argc - 1], NULL, &hints, &list);
	if (error) {
		puts(error == EAI_NONAME || error == EAI_AGAIN ? "none" : gai_strerror(error));
		return 0;
	}
	for (one = list; one; one = one->ai_next) {
		const void *address = one->ai_family == AF_INET
			? (const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr
			: (const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr;
		puts(inet_ntop(one->ai_family, address, text, sizeof text));
	}
	return 0;
}

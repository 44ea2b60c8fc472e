/* floor.c ROUNDS   What the kernel alone takes for a network namespace and a veth between it and a bridge of this one, made by
 *                  one request: the median of the first ten and that of the last ten, in milliseconds. As root, in a network
 *                  namespace of one's own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char message[1024];
static struct nlmsghdr *header = (struct nlmsghdr *)message;

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(1);
	}
}

static struct rtattr *put(int type, const void *value, int length)
{
	struct rtattr *attribute = (struct rtattr *)(message + NLMSG_ALIGN(header->nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(attribute), value, length);
	header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = message + header->nlmsg_len - (char *)nest;
}

/* Sends what is in `message`, and fails as the kernel does. */
static void ask(int netlink, const char *what)
{
	char answer[1024];

	check(send(netlink, message, header->nlmsg_len, 0) < 0, "send");
	check(recv(netlink, answer, sizeof answer, 0) < 0, "recv");
	errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error;
	check(errno, what);
}

static void begin(const char *name)
{
	struct ifinfomsg link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	memset(message, 0, sizeof message);
	header->nlmsg_type = RTM_NEWLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	header->nlmsg_len = NLMSG_LENGTH(sizeof link);
	memcpy(NLMSG_DATA(header), &link, sizeof link);
	put(IFLA_IFNAME, name, strlen(name) + 1);
}

static void bridge(int netlink)
{
	struct rtattr *info;

	begin("floor");
	info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "bridge", 7);
	end(info);
	ask(netlink, "make a bridge");
}

static void veth(int netlink, const char *name, int master, int namespace)
{
	struct ifinfomsg link = {0};
	struct rtattr *info, *data, *peer;

	begin(name);
	put(IFLA_MASTER, &master, sizeof master);
	info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "veth", 5);
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, &link, sizeof link);
	put(IFLA_IFNAME, "eth0", 5);
	put(IFLA_NET_NS_FD, &namespace, sizeof namespace);
	end(peer);
	end(data);
	end(info);
	ask(netlink, "make a veth");
}

static int by_size(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	int home = open("/proc/self/ns/net", O_RDONLY);
	double *times = calloc(rounds, sizeof *times);

	check(netlink < 0 || home < 0 || !times || rounds < 10, "begin");
	bridge(netlink);
	for (int round = 0; round < rounds; round++) {
		struct timespec before, after;
		char name[IFNAMSIZ];

		snprintf(name, sizeof name, "floor%d", round);
		clock_gettime(CLOCK_MONOTONIC, &before);
		check(unshare(CLONE_NEWNET), "unshare");
		int namespace = open("/proc/self/ns/net", O_RDONLY);
		check(namespace < 0 || setns(home, CLONE_NEWNET), "setns");
		veth(netlink, name, if_nametoindex("floor"), namespace);
		clock_gettime(CLOCK_MONOTONIC, &after);
		/* Kept open until the end: taking down is not what is measured. */
		times[round] = (after.tv_sec - before.tv_sec) * 1e3 + (after.tv_nsec - before.tv_nsec) / 1e6;
	}
	qsort(times, 10, sizeof *times, by_size);
	qsort(times + rounds - 10, 10, sizeof *times, by_size);
	printf("%.2f %.2f\n", times[5], times[rounds - 5]);
	return 0;
}

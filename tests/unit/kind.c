/* Which sockets are translated: rules/kind.h. */
#include "asker.h"

#include "rules/kind.h"

static bool matches(int fd, unsigned protocols)
{
    return kind_matches(&view, fd, protocols);
}

static bool is_mixed(void)
{
    return atomic_load(&view.mixed);
}

TEST("the kernel tells the kind of a socket, of either family")
{
    static const int families[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++) {
        int tcp = socket(families[i], SOCK_STREAM, 0), udp = socket(families[i], SOCK_DGRAM, 0);
        check(tcp >= 0 || families[i] == AF_INET6, "%m"); /* a host may be without that */
        equal(kind_of(&view, tcp), tcp >= 0 ? PORTMAP_TCP : 0);
        equal(kind_of(&view, udp), udp >= 0 ? PORTMAP_UDP : 0);
    }
    equal(kind_of(&view, new_socket(AF_UNIX, SOCK_STREAM)), 0);
    equal(kind_of(&view, new_socket(AF_UNIX, SOCK_DGRAM)), 0);
    equal(kind_of(&view, open("/dev/null", O_RDONLY)), 0);
    equal(kind_of(&view, -1), 0);
}

TEST("MPTCP counts as TCP")
{
    enum { MPTCP = 262 };
    int fd = socket(AF_INET, SOCK_STREAM, MPTCP); /* a kernel may be without it */
    if (fd >= 0)
        equal(kind_of(&view, fd), PORTMAP_TCP);
}

TEST("a raw socket has no ports, whatever its protocol")
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP); /* not everybody may have one */
    if (fd < 0)
        return;
    kind_note_got(&view, fd);
    check(is_mixed(), "it is not noted");
    equal(kind_of(&view, fd), 0);
    check(!matches(fd, PORTMAP_UDP) && !matches(fd, PORTMAP_BOTH), "it matches");
}

TEST("a placeholder of one protocol is for sockets of that one")
{
    int tcp = new_socket(AF_INET, SOCK_STREAM), udp = new_socket(AF_INET, SOCK_DGRAM);
    check(matches(tcp, PORTMAP_TCP) && !matches(tcp, PORTMAP_UDP) && matches(tcp, PORTMAP_BOTH), "TCP");
    check(matches(udp, PORTMAP_UDP) && !matches(udp, PORTMAP_TCP) && matches(udp, PORTMAP_BOTH), "UDP");
}

TEST("a placeholder of both is not asked for until the process may have sockets of another kind")
{
    int other = new_socket(AF_UNIX, SOCK_STREAM), tcp = new_socket(AF_INET, SOCK_STREAM);
    check(matches(other, PORTMAP_BOTH), "it was asked for");
    kind_note_made(&view, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    check(!matches(other, PORTMAP_BOTH) && matches(tcp, PORTMAP_BOTH), "it was not");
}

TEST("under a filter nothing is asked and every socket matches")
{
    atomic_store(&view.filters, 1);
    equal(kind_of(&view, new_socket(AF_INET, SOCK_STREAM)), 0);
    check(matches(-1, PORTMAP_TCP) && matches(-1, PORTMAP_UDP), "it was asked for");
}

TEST("what socket() is asked for says whether others come: of IP, all that is neither TCP nor UDP")
{
    static const struct {
        int family, type, protocol;
        bool mixed;
    } made[] = {
        {AF_INET, SOCK_STREAM, 0, false},
        {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, false},
        {AF_INET, SOCK_STREAM, IPPROTO_TCP, false},
        {AF_INET6, SOCK_DGRAM, IPPROTO_UDP, false},
        {AF_UNIX, SOCK_SEQPACKET, 0, false},
        {AF_NETLINK, SOCK_RAW, 0, false},
        {AF_INET, SOCK_STREAM, IPPROTO_SCTP, true},
        {AF_INET, SOCK_DGRAM, IPPROTO_ICMP, true},
        {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, true},
        {AF_INET, SOCK_RAW, IPPROTO_TCP, true},
        {AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, true},
    };
    for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
        atomic_store(&view.mixed, false);
        kind_note_made(&view, made[i].family, made[i].type, made[i].protocol);
        check(is_mixed() == made[i].mixed, "family %d, type %d, protocol %d", made[i].family, made[i].type,
              made[i].protocol);
    }
}

TEST("a descriptor from elsewhere is no reason to ask when it is TCP's, UDP's, or no socket at all")
{
    kind_note_got(&view, new_socket(AF_INET, SOCK_STREAM));
    kind_note_got(&view, new_socket(AF_INET, SOCK_DGRAM));
    kind_note_got(&view, new_socket(AF_UNIX, SOCK_STREAM));
    kind_note_got(&view, open("/dev/null", O_RDONLY));
    kind_note_got(&view, -1);
    check(!is_mixed(), "it is");
}

/* A message with descriptors in it, as sendmsg(2) and recvmsg(2) have it. */
static struct msghdr message_of(const int *fds, unsigned count)
{
    static _Alignas(struct cmsghdr) char control[512];
    struct msghdr message = {.msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(count * sizeof *fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    return message;
}

TEST("each descriptor that comes with a message is looked at")
{
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), tcp = new_socket(AF_INET, SOCK_STREAM);
    int sent[] = {tcp, tcp, raw >= 0 ? raw : tcp};
    struct msghdr message = message_of(sent, 2), none = {0};
    kind_received(&view, &none);
    kind_received(&view, &message);
    check(!is_mixed(), "it is");
    message = message_of(sent, 3);
    kind_received(&view, &message);
    equal(is_mixed(), raw >= 0);
}

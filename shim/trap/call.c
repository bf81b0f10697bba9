#include "trap/call.h"

#include "trap/numbers.h"
#include "trap/remote.h"

#include <string.h>

#ifdef NUMBERS_ARCH_NARROW
/* What socketcall(2) was called for; its arguments are in memory, 32 bits each. */
static void decode_socketcall(struct call *call)
{
    uint32_t words[6] = {0};
    const struct number *which = numbers_narrow;
    while (which < numbers_narrow + CALL_NAMES && (uint64_t)which->socketcall != call->arguments[0])
        which++;
    if (which == numbers_narrow + CALL_NAMES)
        return;
    static const unsigned char counts[] = {
        [CALL_BIND] = 3,        [CALL_LISTEN] = 2,  [CALL_CONNECT] = 3, [CALL_GETSOCKNAME] = 3,
        [CALL_GETPEERNAME] = 3, [CALL_SENDTO] = 6,  [CALL_SENDMSG] = 3, [CALL_SENDMMSG] = 4,
        [CALL_RECVFROM] = 6,    [CALL_RECVMSG] = 3, [CALL_RECVMMSG] = 5};
    call->name = which->name;
    call->lacks_arguments =
        remote_read(call, call->arguments[1], words, counts[which->name] * sizeof *words) != 0;
    for (unsigned i = 0; i < 6; i++)
        call->arguments[i] = words[i];
}

static void decode_narrow(struct call *call, int number)
{
    call->is_narrow = true;
    for (unsigned i = 0; i < 6; i++)
        call->arguments[i] = (uint32_t)call->arguments[i];
    for (unsigned i = 0; i < CALL_NAMES; i++)
        if (numbers_narrow[i].direct == number)
            call->name = numbers_narrow[i].name;
    if (number == NUMBER_RECVMMSG_TIME64) {
        call->name = CALL_RECVMMSG;
        call->is_time64 = true;
    }
    if (number == NUMBER_SOCKETCALL)
        decode_socketcall(call);
}
#endif

#ifdef NUMBERS_ARCH
static void decode_native(struct call *call, int number)
{
    for (unsigned i = 0; i < CALL_NAMES; i++)
        if (numbers[i].direct == number)
            call->name = numbers[i].name;
}
#endif

void call_decode(struct call *call, const struct seccomp_notif *received)
{
    *call = (struct call){.id = received->id, .thread = (pid_t)received->pid};
    for (unsigned i = 0; i < 6; i++)
        call->arguments[i] = received->data.args[i];
#ifdef NUMBERS_ARCH
    if (received->data.arch == NUMBERS_ARCH)
        decode_native(call, received->data.nr);
#endif
#ifdef NUMBERS_ARCH_NARROW
    if (received->data.arch == NUMBERS_ARCH_NARROW)
        decode_narrow(call, received->data.nr);
#endif
}

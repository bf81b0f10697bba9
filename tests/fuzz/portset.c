/* Port specifications, of -p, PORTSHIM_PORTS and settings files: run/portset.h. */
#include "fuzz.h"

#include "error.h"
#include "run/portset.h"

static void check_set(const struct portset *set)
{
    struct portbits first;
    unsigned count = 0;
    portset_first(set, PORTSET_START, &first);
    must(!portbits_has(&first, 0));
    for (unsigned port = 0; port < PORT_COUNT; port++) {
        unsigned listed = portset_listed(set, port), all = portset_all(set, port);
        must(listed <= PORTMAP_BOTH && all <= PORTMAP_BOTH && (listed == 0 || all == 0));
        must(port != 0 || (listed == 0 && all == 0));
        must(!portbits_has(&first, port) || listed != 0);
        count += listed != 0;
    }
    must(count == portset_count(set) &&
         portbits_count(&first) == (count < PORTSET_START ? count : PORTSET_START));
    for (unsigned i = 0; i < set->fixed_count; i++)
        must(portset_fixed(set, set->fixed[i].placeholder) == set->fixed[i].real && set->fixed[i].real != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct portset set;
    struct problem problem;
    char *text = fuzz_string(data, size);
    memset(&set, 0, sizeof set);
    int error = portset_add(&set, text, &problem);
    must(error == 0 || error == PORTMAP_ESYNTAX || error == PORTMAP_ETOOMANY);
    if (error == 0)
        check_set(&set);
    free(text);
    return 0;
}

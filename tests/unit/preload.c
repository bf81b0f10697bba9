/* The list in LD_PRELOAD: program/preload.h. */
#include "unit.h"

#include "base/text.h"
#include "program/preload.h"

#include <string.h>

static char list[512];

static const char *with(const char *before)
{
    struct text t = text_in(list, sizeof list);
    preload_write(&t, "/l/libportshim.so", "./libportshim.so", before);
    return list;
}

static const char *without(const char *before)
{
    struct text t = text_in(list, strlen(before) + 1);
    preload_write_without(&t, "/other/ports.so", before);
    check(!t.cut, "%s", before);
    return list;
}

TEST("our library comes first, once, but after a sanitizer's runtime")
{
    equal_text(with(""), "/l/libportshim.so");
    equal_text(with("/a.so b.so"), "/l/libportshim.so:/a.so:b.so");
    equal_text(with("/a.so:/l/libportshim.so::./libportshim.so"), "/l/libportshim.so:/a.so");
    equal_text(with("/u/libasan.so.8 /a.so"), "/u/libasan.so.8:/l/libportshim.so:/a.so");
}

TEST("our library can be left out, whatever its path, and all others stay in their order")
{
    equal_text(without(""), "");
    equal_text(without("/l/libportshim.so"), "");
    equal_text(without("libportshim.so ./libportshim.so:/other/ports.so"), "");
    equal_text(without("/a.so:/l/libportshim.so /lib32/libportshim.so:b.so"), "/a.so:b.so");
    equal_text(without("/libportshim.so/a.so:/l/xlibportshim.so:libportshim.so.1:/ports.so:::"),
               "/libportshim.so/a.so:/l/xlibportshim.so:libportshim.so.1:/ports.so");
}

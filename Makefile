# make         build/portshim, build/libportshim.so, build/libportmap.a, build/libportmap.so
# make check   install what the tests need, then run all tests
# make demo    two servers on one port, side by side
# make install into $(DESTDIR)$(PREFIX); the libraries into $(LIBDIR). make uninstall removes it, given the same variables
# make bench   measure what calls, leases and runs cost
# make fuzz    give random bytes to all that reads what others write, FUZZ_SECONDS for each reader (needs clang)
# make lint    warnings of gcc and clang, clang-tidy, clang-format, shellcheck, scripts/check-house

VERSION = 0.1.0
# The version of libportmap.so's interface: raise it with each change that breaks programs built before.
ABI = 0

CC = gcc
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wconversion
STANDARD = -std=gnu11 -D_GNU_SOURCE
# The command is static, so that no preloaded library, such as ours of an outer run, changes its calls. For sanitizers
# it must be dynamic: make STATIC=.
STATIC = -static
# A static command is linked with musl where its compiler is there (musl-tools in Debian). When a program of glibc starts,
# it asks the processor for its features some seventy times. A virtual machine traps each: 0.3 ms, a fifth of a start.
ifeq ($(CC),gcc)
MUSL_CC := $(shell command -v musl-gcc)
endif

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
DEFINES = -DPORTSHIM_VERSION='"$(VERSION)"' -DPORTSHIM_MULTIARCH='"$(or $(MULTIARCH),.)"'
COMPILE = $(CC) $(STANDARD) $(WARNINGS) $(CFLAGS) $(CPPFLAGS) $(DEFINES) -pthread -MMD -MP
LINK = $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed
COMMAND_CC = $(if $(and $(STATIC),$(MUSL_CC)),$(MUSL_CC) -idirafter /usr/include -idirafter /usr/include/$(MULTIARCH),$(CC))
# The tools that belong to the compiler, which may be a cross compiler.
OBJCOPY := $(or $(shell $(CC) -print-prog-name=objcopy 2>/dev/null),objcopy)
ifeq ($(origin AR),default)
AR := $(or $(shell $(CC) -print-prog-name=ar 2>/dev/null),ar)
endif

B = build
comma = ,
PREFIX = /usr/local
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/portshim
TMPFILESDIR = $(PREFIX)/lib/tmpfiles.d
# Where a python3 looks for modules below PREFIX, which may be the user's ~/.local; nothing if none does. /usr/bin's is asked
# too, as the first one in PATH may be another's. It is looked for once, when it is first needed.
PYTHON = python3
PYTHONDIR = $(eval PYTHONDIR := $$(find_pythondir))$(PYTHONDIR)
find_pythondir = $(shell for python in $(PYTHON) /usr/bin/python3; do "$$python" -c 'import site, sys; \
	print(next(d for d in site.getsitepackages() + [site.getusersitepackages()] if d.startswith(sys.argv[1] + "/lib/")))' \
	"$(PREFIX)" 2>/dev/null && break; done)
# Most tests wait more than they compute.
JOBS := $(shell echo $$((2 * $$(nproc))))
# The shell looks for bats when a recipe runs, as scripts/test-deps may install it before.
BATS = "$$(PATH="$(CURDIR)/build/npm/node_modules/bats/bin:$$PATH" command -v bats)" --jobs $(JOBS)

# Sources of the command alone, the trap included. All others of portmap are in libportmap and, without its interface, in
# libportshim.so as well.
COMMAND_SOURCES = $(wildcard portmap/command/*.c portmap/observe/*.c portmap/serve/*.c) \
	$(patsubst %,portmap/%.c,base/json host/processes host/socket_owners program/versions run/supervisors)
LIBRARY_SOURCES = $(filter-out $(COMMAND_SOURCES),$(wildcard portmap/*.c portmap/*/*.c))
SHIM_SOURCES = $(filter-out shim/trap/%,$(wildcard shim/*/*.c))
# The trap makes other processes' calls, in the command, by the library's rules.
TRAP_SOURCES = $(wildcard shim/trap/*.c shim/rules/*.c)

COMMAND_OBJECTS = $(COMMAND_SOURCES:%.c=$B/%.o)
LIBRARY_OBJECTS = $(LIBRARY_SOURCES:%.c=$B/%.o)
# libportshim.so has its own kernel_call() (see portmap/base/kernel.h) and no interface for C programs.
SHIM_OBJECTS = $(SHIM_SOURCES:%.c=$B/%.o) \
	$(filter-out $(addprefix $B/portmap/,base/kernel_call.o run/picking.o portmap.o),$(LIBRARY_OBJECTS))

all: $B/portshim $B/libportshim.so $B/libportmap.a $B/libportmap.so.$(ABI)

# Everything depends on this file, which is written only when the flags change: then everything is built again.
FLAGS = $(COMMAND_CC) $(COMPILE) / $(LINK) $(STATIC) $(SHIM_LINK) / $(OBJCOPY) $(AR)
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' >$@
FORCE:

$B/portmap/%.o: portmap/%.c Makefile $B/flags
	@mkdir -p $(@D)
	$(COMPILE) -iquote portmap -iquote shim -fPIC -fvisibility=hidden -c -o $@ $<

$B/shim/%.o: shim/%.c Makefile $B/flags
	@mkdir -p $(@D)
	$(COMPILE) -iquote portmap -iquote shim -fPIC -fno-semantic-interposition -c -o $@ $<

# One object whose only global names are those of portmap.h, so that no other name can clash with a program's.
$B/libportmap.a: $(LIBRARY_OBJECTS)
	$(CC) $(CFLAGS) -nostdlib -r -o $B/libportmap.o $^
	$(OBJCOPY) --localize-hidden $B/libportmap.o
	rm -f $@
	$(AR) rcs $@ $B/libportmap.o

$B/libportmap.so.$(ABI): $(LIBRARY_OBJECTS)
	$(LINK) -shared -Wl,-z,now -Wl,--no-undefined -Wl,-soname,libportmap.so.$(ABI) -o $@ $^ -pthread
	ln -sf libportmap.so.$(ABI) $B/libportmap.so

# The command's objects, which need not be position independent. Those of the same sources above are for the libraries
# and the unit tests.
$B/static/%.o: %.c Makefile $B/flags
	@mkdir -p $(@D)
	$(COMPILE:$(CC)%=$(COMMAND_CC)%) -iquote portmap -iquote shim -c -o $@ $<

$B/portshim: $(patsubst %.c,$B/static/%.o,$(COMMAND_SOURCES) $(LIBRARY_SOURCES) $(TRAP_SOURCES))
	$(LINK:$(CC)%=$(COMMAND_CC)%) $(STATIC) -o $@ $^ -pthread

# What libportshim.so exports. The symbols have no version: with one, programs would not bind to them.
$B/libportshim.map: shim/process/interposed.h Makefile $B/flags
	names=$$($(CC) $(CFLAGS) $(CPPFLAGS) -E -P $(foreach list,NEXT ALSO LOADER,-D'$(list)(name,...)=name;') $<) && \
		echo "{ global: $$names local: *; };" >$@

# Links libc alone (and libdl where libc has no dlsym), as every program of a run loads what this library links. Each
# program pays for that, so the library is one read-only mapping and one writable one, which is not made read-only in
# part afterwards, and functions are bound when they are first called. The compiler's start files are left out: they
# would look up four functions, and the library needs none of these.
SHIM_LINK = -nostartfiles -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,-z,lazy
# What every program of a run executes and reads when it starts. It lies together, at the library's beginning, constants
# included: of a file that is mapped the kernel makes present the 64 KiB around each page that is touched. Likewise what
# they write: the library's data begins with a page (.init_array is its first section), and what every program writes
# fits into that. Of that array the function here is the first: ld.so calls what lies in a gap before it, too, if the
# compiler adds functions (--coverage).
JOINING = $(patsubst %,$B/%.o,$(addprefix shim/process/,attach once loaded memory carry copies kernel borrow next settle \
	own_program supervised) shim/rules/view $(addprefix portmap/run/,files map compact texts rundir) portmap/host/process \
	$(addprefix portmap/base/,text environment kernel) portmap/program/preload)
CONSTANTS = .rodata $(addprefix .rodata.,str1.1 str1.4 str1.8 str1.16 str1.32 cst4 cst8 cst16 cst32)
$B/libportshim.joining.o: $(JOINING)
	$(CC) $(CFLAGS) $(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel) -nostdlib -r -o $@ $^
	$(OBJCOPY) $(foreach name,$(CONSTANTS),--rename-section $(name)=.text.hot$(name),alloc,load,readonly,code,contents) \
		--rename-section .init_array=.init_array.00000 --set-section-alignment .init_array=4096 $@

$B/libportshim.so: $B/libportshim.joining.o $(SHIM_OBJECTS) $B/libportshim.map
	$(LINK) -shared -Wl,--version-script=$B/libportshim.map $(SHIM_LINK) -Wl,--no-undefined \
		-Wl,-soname,libportshim.so -o $@ $B/libportshim.joining.o $(filter-out $(JOINING),$(SHIM_OBJECTS)) -ldl
	@echo $(SHIM_OBJECTS) >$B/libportshim.objects

-include $(wildcard $B/portmap/*.d $B/portmap/*/*.d $B/shim/*/*.d $B/static/*/*/*.d $B/tests/broken/*.d)

# Programs that the tests run, and the benchmarks of calls and starts. They use libc alone, and nothing of portshim.
TEST_PROGRAMS = $(patsubst tests/programs/%.c,$B/tests/%,$(wildcard tests/programs/*.c)) \
	$(patsubst %.c,$B/%,$(wildcard tests/unit/*.c)) $(FUZZ_TARGETS) $B/tests/broken/portshim
TEST_COMPILE = $(CC) $(STANDARD) -Wall -Wextra -Wshadow $(CFLAGS) -pthread -o $@ $<

$B/tests/%: tests/programs/%.c $(wildcard tests/programs/*.h) Makefile $B/flags
	@mkdir -p $(@D)
	$(TEST_COMPILE)

$B/scripts/bench $B/scripts/bench_weight: $B/scripts/%: scripts/%.c Makefile $B/flags
	@mkdir -p $(@D)
	$(TEST_COMPILE)

# The same benchmark where no library reaches it.
$B/scripts/bench_static: scripts/bench.c Makefile $B/flags
	@mkdir -p $(@D)
	$(TEST_COMPILE) -static

# Programs that the library does not reach, for the tests of the trap: static ones, ones of musl, of 32 bits, and of Go.
# Where the compiler or what it needs is missing, a program is not built, and the tests that want it are skipped.
TRAP_COMPARED = address_in_use addresses bad_pointers conform descriptors other_kinds udp unspecified_family
TRAP_BOTH_SIZES = ask backlog own_filter storm tell undumpable $(TRAP_COMPARED)
TRAP_PROGRAMS = $(TRAP_BOTH_SIZES:%=$B/tests/static/%) $(TRAP_BOTH_SIZES:%=$B/tests/narrow_static/%) \
	$(patsubst %,$B/tests/static/%,exempt hostile_trapped landlock privileges reaps without_call) \
	$(patsubst %,$B/tests/narrow/%,ask tell) \
	$(patsubst %,$B/tests/musl/%,ask conform tell) $(patsubst %,$B/tests/musl_dynamic/%,ask tell) \
	$B/tests/go_client $B/tests/go_server
TRAP_CC_static = gcc -static
TRAP_CC_narrow = gcc -m32
TRAP_CC_narrow_static = gcc -m32 -static
TRAP_CC_musl = musl-gcc -static $(MUSL_INCLUDES)
TRAP_CC_musl_dynamic = musl-gcc $(MUSL_INCLUDES)
MUSL_INCLUDES = -idirafter /usr/include -idirafter /usr/include/$(MULTIARCH)

# $(call trap_rule,KIND): programs in $B/tests/KIND, built by TRAP_CC_KIND. The compiler is looked for when the recipe runs.
define trap_rule
$B/tests/$(1)/%: tests/programs/%.c $$(wildcard tests/programs/*.h) Makefile
	@mkdir -p $$(@D)
	@echo 'int main(void) { return 0; }' | $$(TRAP_CC_$(1)) -x c - -o $$(@D)/probe.$$* 2>/dev/null || \
		{ echo 'not built: $$@: $$(firstword $$(TRAP_CC_$(1))) cannot build such programs here'; exit 0; }; \
		rm $$(@D)/probe.$$*; $$(TRAP_CC_$(1)) $$(STANDARD) -Wall -Wextra -Wshadow -O2 -g -pthread -o $$@ $$<
endef
$(foreach kind,static narrow narrow_static musl musl_dynamic,$(eval $(call trap_rule,$(kind))))

$B/tests/go_%: tests/programs/go_%.go Makefile
	@mkdir -p $(@D)
	@command -v go >/dev/null || { echo 'not built: $@: there is no go'; exit 0; }; \
		GO111MODULE=off GOFLAGS= CGO_ENABLED=0 GOCACHE=$(abspath $B/go-cache) go build -o $@ $<

trap-programs: $(TRAP_PROGRAMS)

# The benchmark of leases, and a test program, both linked with libportmap.
$B/scripts/bench_leases: scripts/bench_leases.c $B/libportmap.a Makefile
	@mkdir -p $(@D)
	$(TEST_COMPILE) -I. $B/libportmap.a

$B/tests/given_rights: tests/programs/given_rights.c $B/libportmap.a Makefile
	@mkdir -p $(@D)
	$(TEST_COMPILE) -Iportmap $B/libportmap.a

# A test program that compares maps with the views of them, linked with both modules.
$B/tests/there_and_back: tests/programs/there_and_back.c $(LIBRARY_OBJECTS) $B/shim/rules/view.o Makefile
	@mkdir -p $(@D)
	$(TEST_COMPILE) -iquote portmap -iquote shim $(LIBRARY_OBJECTS) $B/shim/rules/view.o

# Unit tests, linked with all of portmap but main(), with the shim's rules and the trap: nothing is intercepted.
UNIT_OBJECTS = $(filter-out $B/portmap/command/portshim.o,$(COMMAND_OBJECTS)) $(LIBRARY_OBJECTS) \
	$(TRAP_SOURCES:%.c=$B/%.o)
$B/tests/unit/%: tests/unit/%.c $(wildcard tests/unit/*.h) $(UNIT_OBJECTS) Makefile $B/flags
	@mkdir -p $(@D)
	$(TEST_COMPILE) -iquote portmap -iquote shim $(UNIT_OBJECTS)

# Fuzz targets, linked with the same. With FUZZER=-fsanitize=fuzzer it is libFuzzer that calls them, else a main() that
# reads inputs from files. settings.c stands in for exit(3).
FUZZ_TARGETS = $(patsubst %.c,$B/%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZER =
$B/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(wildcard tests/fuzz/*.h) $(UNIT_OBJECTS) Makefile $B/flags
	@mkdir -p $(@D)
	$(TEST_COMPILE) -iquote portmap -iquote shim $(or $(FUZZER),tests/fuzz/replay.c) $(UNIT_OBJECTS) \
		$(if $(filter %/settings,$@),-Wl$(comma)--wrap=exit)

# A broken portshim, which leases ports that others have: tests check that they notice this.
$B/tests/broken/table.o: portmap/lease/table.c Makefile $B/flags
	@mkdir -p $(@D)
	$(COMPILE) -DPORTSHIM_BROKEN_CLAIM -iquote portmap -c -o $@ $<

$B/tests/broken/portshim: $(COMMAND_OBJECTS) $(filter-out %/lease/table.o,$(LIBRARY_OBJECTS)) $(TRAP_SOURCES:%.c=$B/%.o) \
	$B/tests/broken/table.o
	$(LINK) $(STATIC) -o $@ $^ -pthread

# Built by another make, which finds the compilers that were installed just now: if it were built before, tests that install
# portshim would build it again, several at the same time.
check:
	scripts/test-deps
	$(MAKE) all $(TEST_PROGRAMS) trap-programs
	$(BATS) --timing tests

# The same tests with the command under AddressSanitizer and UndefinedBehaviorSanitizer and a library that traps at
# undefined behaviour (but for misaligned structures, which programs pass and the kernel takes); the unit tests, which
# leak on purpose, in the same way; libportmap's threads under ThreadSanitizer; the command under valgrind; random bytes
# for the readers; a third-party suite in four copies at once; CMake, node and Jest with what is installed for them; the
# trap with Debian's own kernel, on x86-64 and AArch64; fresh systems of Debian 12 and Debian 11; a newcomer's way through
# the README.
S = $B/sanitized
# The sanitizer's code is linked statically: a program must not look for its libraries, nor for their order.
SANITIZED = B=$S/command STATIC= LDFLAGS=-static-libasan CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
SANITIZED_UNITS = $(patsubst %.c,$S/command/%,$(wildcard tests/unit/*.c))
check-long: check
	$(MAKE) $(SANITIZED) $S/command/portshim
	$(MAKE) B=$S/library CFLAGS="-O1 -g -fsanitize=undefined -fno-sanitize=alignment -fsanitize-undefined-trap-on-error" $S/library/libportshim.so
	mkdir -p $S/both && cp $S/command/portshim $S/library/libportshim.so $S/both
	PORTSHIM_HOSTILE_ROUNDS=10000 PORTSHIM_BUILD=$(CURDIR)/$S/both $(BATS) tests
	$(MAKE) $(SANITIZED) $(SANITIZED_UNITS)
	for unit in $(SANITIZED_UNITS); do ASAN_OPTIONS=handle_segv=0:detect_leaks=0 $$unit >$S/unit.out || { cat $S/unit.out; exit 1; }; done
	$(MAKE) B=$S/threads CFLAGS="-O1 -g -fsanitize=thread" $S/threads/libportmap.so.$(ABI)
	$(CC) $(STANDARD) -O1 -g -fsanitize=thread -I. -o $S/threads/c_api tests/programs/c_api/c_api.c \
		$S/threads/libportmap.so.$(ABI) -Wl,-rpath,$(CURDIR)/$S/threads
	$S/threads/c_api threads 'threads 20'
	$(MAKE) B=$S/dynamic STATIC= $S/dynamic/portshim
	scripts/check-valgrind $S/dynamic/portshim
	$(MAKE) fuzz FUZZ_SECONDS=60
	scripts/legacy-suite
	scripts/check-runners
	$(MAKE) check-recipes
	scripts/test-deps kernel
	scripts/check-kernel
	scripts/check-bare
	scripts/check-walk

# The recipes of docs/recipes.md for runners that `make check` does not install.
check-recipes: all
	scripts/test-deps recipes
	PORTSHIM_BUILD=$(CURDIR)/$B $(BATS) --setup-suite-file tests/setup_suite.bash tests/long

# What is found new stays in build/fuzz/corpus; an input that ends a target is left in build/fuzz.
FUZZ_SECONDS = 10
FUZZ_FLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz:
	scripts/test-deps fuzz
	$(MAKE) B=$B/fuzz CC=clang STATIC= CFLAGS="$(FUZZ_FLAGS)" FUZZER=-fsanitize=fuzzer $(FUZZ_TARGETS:$B/%=$B/fuzz/%)
	scripts/fuzz $B/fuzz $(FUZZ_SECONDS)

# Prints nothing when all is well.
lint:
	@$(MAKE) -s B=$B/lint/gcc CC=gcc WARNINGS="$(WARNINGS) -Werror" $B/lint/gcc/portshim $B/lint/gcc/libportshim.so
	@$(MAKE) -s B=$B/lint/clang CC=clang WARNINGS="$(WARNINGS) -Werror" $B/lint/clang/portshim $B/lint/clang/libportshim.so
	@clang-format --dry-run --Werror portmap/*.[ch] portmap/*/*.[ch] shim/*/*.[ch]
	@clang-tidy --quiet portmap/*.c portmap/*/*.c shim/*/*.c -- $(STANDARD) $(DEFINES) -iquote portmap -iquote shim 2>/dev/null
	@scripts/check-house $B/lint/gcc
	@shellcheck -x .ci/run $(filter-out %.c %.go scripts/completions scripts/runners,$(wildcard scripts/*)) \
		scripts/completions/*.bash scripts/runners/*/*.bash tests/*.bash tests/*.bats tests/long/*.bats

demo: all
	scripts/test-deps demo
	scripts/demo

bench: all $(addprefix $B/scripts/,bench bench_static bench_leases bench_weight)
	scripts/bench
	scripts/bench-trap
	scripts/bench-leases
	scripts/bench-weight

# What `make install` installs and `make uninstall` removes: a word MODE:SOURCE:TARGET for each file, see
# scripts/install-tree. A TARGET begins with the name of a variable. $(call into,MODE,TARGET,FILES) makes the words for files
# that keep their names.
into = $(foreach file,$(3),$(1):$(file):$(2)/$(notdir $(file)))
INSTALLED = \
	$(call into,755,PREFIX/bin,$B/portshim) \
	$(call into,755,LIBDIR,$B/libportshim.so) \
	755:$B/libportmap.so.$(ABI):LIBDIR/libportmap.so.$(VERSION) \
	link:libportmap.so.$(VERSION):LIBDIR/libportmap.so.$(ABI) \
	link:libportmap.so.$(ABI):LIBDIR/libportmap.so \
	$(call into,644,LIBDIR,$B/libportmap.a) \
	fill:portmap/portmap.pc.in:LIBDIR/pkgconfig/portmap.pc \
	$(call into,644,INCLUDEDIR/portmap,portmap/portmap.h portmap/error.h) \
	$(call into,644,PREFIX/share/portshim,docs/ls.schema.json) \
	$(call into,644,DOCDIR,docs/limits.md docs/SECURITY.md docs/recipes.md docs/cost.md docs/comparison.md) \
	644:docs/tmpfiles.conf:TMPFILESDIR/portshim.conf \
	644:scripts/completions/portshim.bash:PREFIX/share/bash-completion/completions/portshim \
	$(call into,644,PREFIX/share/zsh/site-functions,scripts/completions/_portshim) \
	$(call into,644,PREFIX/share/fish/vendor_completions.d,scripts/completions/portshim.fish) \
	$(foreach section,1 3 7 8,$(call into,644,MANDIR/man$(section),$(wildcard docs/*.$(section)))) \
	$(call into,644,PREFIX/lib/bats/portshim,scripts/runners/bats/load.bash) \
	$(call into,644,PREFIX/share/portshim/python,scripts/runners/pytest/pyproject.toml scripts/runners/pytest/portshim_build.py) \
	$(call pytest_plugin,PREFIX/share/portshim/python) \
	$(if $(PYTHONDIR),$(call pytest_plugin,PYTHONDIR)) \
	$(call into,644,PREFIX/lib/cmake/portshim,$(wildcard scripts/runners/cmake/*.cmake)) \
	fill:scripts/runners/cmake/portshimConfigVersion.cmake.in:PREFIX/lib/cmake/portshim/portshimConfigVersion.cmake \
	$(call into,644,PREFIX/lib/node_modules/portshim,$(wildcard scripts/runners/node/*.js)) \
	fill:scripts/runners/node/package.json.in:PREFIX/lib/node_modules/portshim/package.json
# $(call pytest_plugin,TARGET): the plugin, as a distribution that pytest finds.
pytest_plugin = fill:scripts/runners/pytest/portshim_pytest.py:$(1)/portshim_pytest.py \
	fill:scripts/runners/pytest/METADATA:$(1)/portshim_pytest-$(VERSION).dist-info/METADATA \
	$(call into,644,$(1)/portshim_pytest-$(VERSION).dist-info,scripts/runners/pytest/entry_points.txt)

# The recipes quote paths, which may contain a space.
WHERE = DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" MANDIR="$(MANDIR)" \
	DOCDIR="$(DOCDIR)" TMPFILESDIR="$(TMPFILESDIR)" PYTHONDIR="$(PYTHONDIR)" VERSION="$(VERSION)"
SAYS = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),>/dev/null)
install: all
	@$(WHERE) scripts/install-tree install $(INSTALLED) $(SAYS)

# With the same variables as `make install`.
uninstall:
	@$(WHERE) scripts/install-tree uninstall $(INSTALLED) $(SAYS)

clean:
	rm -rf $B

.PHONY: all bench check check-long check-recipes clean demo fuzz install lint trap-programs uninstall

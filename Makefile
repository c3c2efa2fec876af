# Thin over Meson. "make run" brings the demonstration country up, "make test" tests everything;
# both install the Debian packages they need.
#
#   build/        the normal build: ./build/sild
#   build-asan/   with AddressSanitizer and UBSan; the tests run it
#   build-clang/  the same sources under clang; compiled, not run
#   build-fuzz/   the fuzz targets (clang, libFuzzer)
#   build-cover/  the same, to measure what lines their corpora reach
#   build-plant/  a copy of the tree with a bug in it, which a fuzz target has to find

DIR      ?= ./country.d
PREFIX   ?= /usr/local
DESTDIR  ?=
# Seconds of "make fuzz" for each target, and of "make fuzz-plant" for each bug; FUZZ names some of them.
SECONDS_EACH ?= 30
PLANT_SECONDS ?= 300
FUZZ     ?=
# Names of bad_… tests for "make mutate", and how many are tried beside each other (as root).
MUTATE   ?=
JOBS     ?= 1
# Arguments of tests/run: names of programs to run, instead of all.
TESTS    ?=
MESON    := meson setup --prefix $(PREFIX)
SHELL    := /bin/bash
export SILD_SHARED := $(abspath $(or $(SILD_SHARED),$(wildcard ../shared)))

.PHONY: all run test mutate bench fuzz fuzz-cover fuzz-plant interop lint format-check install clean deps deps-test
.PHONY: normal asan clang

all: deps normal

deps:
	@packaging/deps build

deps-test:
	@packaging/deps test

build/build.ninja: | deps
	$(MESON) build

build-asan/build.ninja: | deps
	CC=gcc $(MESON) build-asan -Db_sanitize=address,undefined -Db_lundef=false \
	    -Dc_args=-fno-sanitize-recover=all

build-clang/build.ninja: | deps-test
	CC=clang $(MESON) build-clang -Doptimization=0

normal: build/build.ninja
	@ninja -C build

asan: build-asan/build.ninja
	@ninja -C build-asan

clang: build-clang/build.ninja
	@ninja -C build-clang

run: deps build/build.ninja
	@ninja -C build sild
	@exec ./build/sild up --dir $(DIR)

test: deps-test
	@$(MAKE) --no-print-directory asan normal clang
	@tests/run $(TESTS)

# Switches off each check that a bad_… test is about: half an hour. MUTATE names some of the tests, JOBS beside each other.
mutate: deps-test
	@JOBS=$(JOBS) tests/mutate $(MUTATE)

bench: deps-test
	@$(MAKE) --no-print-directory normal
	@bench/run --out build/bench.json

fuzz: deps-test
	@fuzz/run --seconds $(SECONDS_EACH) $(FUZZ)

# How much of its parser each corpus reaches; fails under 85 %.
fuzz-cover: deps-test
	@fuzz/run --cover $(FUZZ)

# Does each target find a bug that is put into its parser?
fuzz-plant: deps-test
	@fuzz/plant --seconds $(PLANT_SECONDS) $(FUZZ)

# Against programs of others: X-Road itself where it was built, and what Go can build. See tests/interop/README.
interop: deps-test
	@if [ -z "$(XROAD_PEER)" ]; then \
	    echo "interop: no X-Road: XROAD_PEER=DIR names a folder with its programs: tests/interop/README"; \
	elif [ ! -d "$(XROAD_PEER)/bin" ]; then \
	    echo "interop: there is no $(XROAD_PEER)/bin; see tests/interop/README" >&2; exit 1; \
	fi
	@$(MAKE) --no-print-directory normal
	@XROAD_PEER="$(abspath $(XROAD_PEER))" SILD=$(CURDIR)/build/sild SILD_BUILD=$(CURDIR)/build tests/run tests/interop

lint: deps-test
	@tests/run tests/lint
	@$(MAKE) --no-print-directory format-check

format-check: deps-test
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

install: deps build/build.ninja
	@ninja -C build sild
	install -D -m 755 build/sild $(DESTDIR)$(PREFIX)/bin/sild
	install -D -m 644 man/sild.1 $(DESTDIR)$(PREFIX)/share/man/man1/sild.1

clean:
	rm -rf build build-asan build-clang build-fuzz build-cover build-plant

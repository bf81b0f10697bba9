# The recipes of docs/recipes.md for runners that `make check` does not install: scripts/test-deps long does.
load ../helper
load ../recipes

setup() {
    unset MAKEFLAGS MAKELEVEL MFLAGS
    cd "$(test_dir)"
    eight_jobs
}

teardown() {
    end_started
}

# bare COMMAND...: it fails without portshim.
bare() {
    run "$@"
    assert_failure
    rm -rf serving
}

@test "CTest, by CMAKE_CROSSCOMPILING_EMULATOR" {
    cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.10)
project(eight C)
enable_testing()
add_executable(program program.c)
foreach(number RANGE 1 8)
    add_test(NAME ${number} COMMAND program ${CMAKE_SOURCE_DIR}/job ${number})
    set_tests_properties(${number} PROPERTIES WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()
END
    printf '#include <unistd.h>\nint main(int argc, char **argv) { (void)argc; return execv(argv[1], argv + 1); }\n' >program.c
    cmake -S . -B without >cmake.log && cmake --build without >>cmake.log
    bare ctest --test-dir without -j8
    as_script cmake
    all_eight
}

@test "pytest-xdist, by its workers' interpreter" {
    cat >test_eight.py <<'END'
import subprocess, sys, pytest

@pytest.mark.parametrize("number", range(1, 9))
def test_job(number):
    subprocess.run([sys.executable, "job", str(number)], check=True)
END
    PATH=/usr/bin:$PATH # Debian's python3 has pytest
    bare python3 -m pytest -n 8
    as_script pytest
    all_eight
}

@test "meson" {
    printf "project('eight')\nforeach number : ['1', '2', '3', '4', '5', '6', '7', '8']\n" >meson.build
    printf "test(number, find_program('./job'), args: number, workdir: meson.current_source_dir())\nendforeach\n" >>meson.build
    meson setup without
    bare meson test -C without --num-processes 8
    as_script meson
    all_eight
}

@test "cargo" {
    type -P cargo >/dev/null || skip 'cargo is not installed'
    mkdir -p src tests
    printf '[package]\nname = "eight"\nversion = "0.1.0"\nedition = "2021"\n' >Cargo.toml
    echo 'fn main() {}' >src/main.rs
    cat >tests/one.rs <<'END'
#[test]
fn serves() {
    std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
    assert_ne!(std::env::var("PORTSHIM_PORT_8080").unwrap(), "");
}
END
    start stranger /usr/bin/python3 "$PROGRAMS/stranger.py" 8080
    within 10 grep -qs ready stranger.out
    bare cargo test
    as_script cargo
}

@test "go test" {
    printf 'module eight\n\ngo 1.19\n' >go.mod
    for number in 1 2 3 4 5 6 7 8; do
        mkdir "p$number"
        sed "s/NUMBER/$number/" >"p$number/eight_test.go" <<'END'
package p

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestServes(t *testing.T) {
	if _, err := net.Listen("tcp", "127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	os.Mkdir("../serving", 0755)
	os.WriteFile("../serving/NUMBER", nil, 0644)
	for i := 0; i < 1000; i++ {
		if all, _ := os.ReadDir("../serving"); len(all) == 8 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("not all eight")
}
END
    done
    export GOFLAGS=-mod=mod GOCACHE=$PWD/cache
    bare go test -p 8 ./...
    as_script go
    all_eight
}

@test "foreman" {
    as_script foreman
}

@test "the compose file is one that docker-compose reads" {
    block compose >docker-compose.yml
    DATABASE_PORT=12345 run -0 docker-compose config
    assert_output --partial 12345
}

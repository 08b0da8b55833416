# Commands for contributors; `just` lists them. https://just.systems

_list:
    @just --list

# Check everything, as the gate does; every change has to pass this
check:
    .ci/run

# Run all tests
test *args:
    cargo test --workspace --all-features {{ args }}

# Check format and lints
lint:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Format all code
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

# Build the documentation and open it
doc:
    cargo doc --workspace --no-deps --all-features --open

# Run a fuzz target (needs a nightly toolchain and cargo-fuzz)
fuzz target *args:
    cargo +nightly fuzz run {{ target }} {{ args }}

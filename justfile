# The commands of this project. Each is a script that works without just.

# Lists them.
default:
    @just --list

# Builds and starts everything on this machine and prints what to try.
demo *args:
    scripts/demo {{args}}

# Every check and test.
test:
    scripts/test

# Replays the recorded wire contract.
contract *args:
    tests/contract/run {{args}}

# Puts real servers behind the gateway and looks for a stranger's request that they read as a write.
readers *args:
    tests/readers/run {{args}}

# Checks links, command lines and test names in the documentation.
docs:
    scripts/check-docs

# Licences, advisories and sources of what is in the tree (wants cargo-deny).
deny:
    cargo deny check

# Everything here is a script in scripts/, which also says what it does.

.PHONY: help run example test soak testhub bench fuzz autobahn lint fmt setup clean

help:
	@echo "make run     install what is missing, build, and start the demo platform (Ctrl-C stops it);"
	@echo "             BROKER=nats or BROKER=kafka runs it on that broker, which is fetched too"
	@echo "make example NAME=tickets  the same for one of the examples, each a platform of its own; without NAME"
	@echo "             it lists them"
	@echo "make test    install what is missing and run every test"
	@echo "make soak    the long tests: seeded faults and minutes of churn on each broker (about an hour)"
	@echo "make testhub run the server for the functional tests of SignalR clients"
	@echo "make bench   run the benchmarks (ARGS='SCENARIO...' for some of them)"
	@echo "make fuzz    fuzz the protocol codecs (SECONDS_EACH=300)"
	@echo "make autobahn run the Autobahn suite against the reader of WebSocket frames (needs Python 2.7)"
	@echo "make lint    check formatting and lints"
	@echo "make fmt     format the code"
	@echo "make setup   install what make run and make test need, and nothing else"
	@echo "make clean   remove what was built; the demo's state in .fanfare stays"

run:
	@scripts/run.sh

example:
	@NAME='$(NAME)' scripts/example.sh

test:
	@scripts/test.sh

soak:
	@scripts/soak.sh

testhub:
	@scripts/testhub.sh

bench:
	@scripts/bench.sh $(ARGS)

fuzz:
	@scripts/fuzz.sh

autobahn:
	@scripts/autobahn.sh

lint:
	@scripts/lint.sh

fmt:
	@cargo fmt --all

setup:
	@scripts/setup.sh test

clean:
	@scripts/clean.sh

from healthpipe.cli.app import run

run()

from healthpipe.cli.main import run

run()

# The tests that measure, by the rules of the others (test/unit/lit.cfg.py).
lit_config.load_config(config, config.nibble_source + "/test/unit/lit.cfg.py")
config.name = "nibble-speed"

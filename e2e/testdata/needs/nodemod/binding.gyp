{ "targets": [{ "target_name": "nodemod", "sources": ["nodemod.cc"], "libraries": ["-linstalled", "-lgreet"] }] }

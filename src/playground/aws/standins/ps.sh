#!/bin/sh
# What the node would show, whatever the options.
cat "$ROOT/.node/ps"

#!/bin/sh
echo "SSM Agent version: $(cat "$ROOT/.node/agent")"

#!/bin/sh
# A t3.medium has two.
echo 2

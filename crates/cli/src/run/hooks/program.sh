#!/bin/sh
# What `ringback run` has on PATH before node and python: a start script that sets NODE_OPTIONS or PYTHONPATH itself would
# take the hooks away. Adds them where they are missing, and goes on as the program of this name that comes next on PATH.

run=${0%/*/*} here=${0%/*} name=${0##*/}
path=:$PATH:
case $path in *":$here:"*)
  path=${path%%":$here:"*}:${path#*":$here:"}
  path=${path#:} PATH=${path%:}
esac
case ${NODE_OPTIONS-} in *"$run/node.cjs"*) ;; *)
  # Node reads a path in quotes, in which these two are escaped.
  hook=$(printf %s "$run/node.cjs" | sed 's/[\\"]/\\&/g')
  NODE_OPTIONS="--require \"$hook\" ${NODE_OPTIONS-}"
esac
case ${PYTHONPATH-}: in "$run/python:"*) ;; *)
  PYTHONPATH=$run/python${PYTHONPATH:+:$PYTHONPATH}
esac
export PATH NODE_OPTIONS PYTHONPATH
exec "$name" "$@"

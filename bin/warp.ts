#!/usr/bin/env node
/** `warp`: see cli/run.ts. */
import { runWarp } from './cli/program/run.ts'

process.exitCode = await runWarp(process.argv.slice(2))

#!/usr/bin/env node
// The program itself, with what it was given.
'use strict';
const { spawnSync } = require('node:child_process');
const { binary } = require('../index.js');

const ended = spawnSync(binary(), process.argv.slice(2), { stdio: 'inherit' });
if (ended.error) throw ended.error;
process.exitCode = ended.status ?? 1;

// node --require portshim/workers --test: each test file's process is a run of its own. See portshim-runners(7).
'use strict';

const { ChildProcess, spawnSync } = require('child_process');
const { existsSync } = require('fs');
const path = require('path');

// Variables that a test runner adds to the environment of a worker.
const NODE_TEST = 'NODE_TEST_CONTEXT';
const JEST = 'JEST_WORKER_ID';

const installed = path.join(__dirname, '../../../bin/portshim');
const portshim = existsSync(installed) ? installed : 'portshim';

const isInRun = Boolean(process.env.PORTSHIM_RUN);

// The variables by which the workers of this process are known.
const marks = new Set();

function isWorker({ envPairs = [] }) {
  return envPairs.some((pair) => marks.has(pair.slice(0, pair.indexOf('='))));
}

// From now on, child processes that have the variable MARK are started by `portshim run`. Test runners have taken
// their copies of child_process.spawn() and fork() already, but these call this method.
function wrapWorkers(mark) {
  if (marks.size === 0) {
    const { spawn } = ChildProcess.prototype;
    ChildProcess.prototype.spawn = function (options) {
      if (isWorker(options)) {
        const args = ['portshim', 'run', '--', options.file, ...options.args.slice(1)];
        options = { ...options, file: portshim, args };
      }
      return spawn.call(this, options);
    };
  }
  marks.add(mark);
}

// What keeps `portshim run` from starting a worker, such as that no ports are given; '' when nothing does.
function obstacle() {
  const { error, status, stderr } = spawnSync(portshim, ['run', '--check'], { encoding: 'utf8' });
  if (error) {
    return `portshim: ${portshim}: ${error.code}: install portshim, or add its directory to PATH`;
  }
  return status === 0 ? '' : stderr.trim();
}

// A worker loads this file as well, by its parent's options: what a test starts belongs to the test's run.
for (const mark of [NODE_TEST, JEST]) {
  if (!(mark in process.env)) {
    wrapWorkers(mark);
  }
}

if (!isInRun && process.execArgv.some((option) => /^--(experimental-)?test-isolation=none$/.test(option))) {
  throw new Error(
    'portshim: --test-isolation=none: all test files run in this one process: ' +
      'leave the option out, or start node with portshim run',
  );
}

module.exports = { JEST, isInRun, obstacle, wrapWorkers };

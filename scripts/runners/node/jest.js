// Jest's globalSetup: each of Jest's workers is a run of its own. See portshim-runners(7).
'use strict';

const { JEST, isInRun, obstacle, wrapWorkers } = require('./workers.js');

function refuse(what) {
  throw new Error(`portshim: ${what}`);
}

// Jest runs few or quick tests in its own process, which cannot become a run any more. It decides that after its
// globalSetup, and tells the test runner by the option `serial`.
function useWorkersAlways(runner) {
  const { runTests } = runner.prototype;
  runner.prototype.runTests = function (...given) {
    const options = given.pop();
    return runTests.call(this, ...given, { ...options, serial: false });
  };
}

module.exports = async function (globalConfig, projectConfig) {
  const { detectOpenHandles, workerThreads } = globalConfig;
  if (workerThreads) {
    refuse('workerThreads: the threads of a process have the same ports: leave the setting out');
  }
  const reason = obstacle();
  if (reason) {
    throw new Error(reason);
  }
  wrapWorkers(JEST);
  if (detectOpenHandles) {
    if (!isInRun) {
      refuse("detectOpenHandles: the tests run in Jest's own process, outside of a run: start Jest with portshim run");
    }
    return;
  }
  if (!projectConfig) {
    refuse('this Jest does not tell its globalSetup the test runner: use Jest 28 or later');
  }
  const { default: runner } = require(projectConfig.runner);
  if (!runner?.prototype?.runTests) {
    refuse(`runner ${projectConfig.runner}: it has no method runTests: use jest-runner`);
  }
  useWorkersAlways(runner);
};

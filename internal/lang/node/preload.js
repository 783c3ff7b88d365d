// Loaded before all else into every Node that a test starts, and into npm. It lies beside the program "node" that xbuild test has put on PATH.
'use strict';
const fs = require('fs');
const path = require('path');
// What starts another Node by this path (node --test, child_process.fork, test runners' workers) gets the one that runs under QEMU too, where this one does.
process.execPath = path.join(__dirname, 'node');
// A list of the modules that were loaded: a test that passes without the module that it is for has tested something else.
const { dlopen } = process;
process.dlopen = function (module, file, ...flags) {
  const result = dlopen.call(this, module, file, ...flags);
  try {
    fs.appendFileSync(path.join(__dirname, 'loaded'), file + '\n');
  } catch {
    // A process that may not write here (node --permission) is not kept from loading.
  }
  return result;
};

// SPDX-License-Identifier: Apache-2.0
// Runs checks.py in CPython 3.14 (WebAssembly) and prints what became of each check, as JSON on the last line.
// usage: node run.mjs <repository> <folder of the wrapt package>
import { loadPyodide } from "pyodide";

const [repository, wrapt] = process.argv.slice(2);
const python = await loadPyodide();
const mount = (root, at) => {
  python.FS.mkdirTree(at);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, at);
};
mount(`${repository}/peeps_otel`, "/program/peeps_otel");
mount(`${repository}/tests/pyodide`, "/program/checks");
mount(wrapt, "/program/wrapt");
const results = python.runPython(`
import sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/program", "/program/checks"]
import checks
checks.run_all()
`);
console.log(results);

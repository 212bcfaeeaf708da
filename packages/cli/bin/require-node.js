// Imported before anything else, for its effect alone: ends the process under a Node that is too old to read the rest.
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `countersign: needs Node.js 24.15 or newer, this is ${process.versions.node}; update Node.js, or run it with npx in a checkout, which brings its own\n`,
  )
  process.exit(1)
}

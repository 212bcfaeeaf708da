// The main script of the single-file executable: loads the pieces of the command from the executable itself, each when it is needed,
// with the code that the build compiled. A piece that this Node would compile differently is compiled again; nothing else changes.
'use strict'

const { getRawAsset } = process.getBuiltinModule('node:sea')
const { Script } = process.getBuiltinModule('node:vm')
const pieces = new Map()

function load(name) {
  const known = pieces.get(name)
  if (known !== undefined) return known.exports
  const piece = { exports: {} }
  pieces.set(name, piece)
  const script = new Script(Buffer.from(getRawAsset(name)).latin1Slice(), {
    filename: name,
    cachedData: Buffer.from(getRawAsset(`${name}.cache`)),
  })
  script.runInThisContext()(piece.exports, requireIn, piece)
  return piece.exports
}

function requireIn(id) {
  return id.startsWith('./') ? load(id.slice(2)) : require(id)
}

void load('countersign.cjs').runCommandLine(process.argv.slice(2))

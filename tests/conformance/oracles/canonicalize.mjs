// Reads hex strings as JSON, one a line; says of each whether its bytes are JSON that `canonicalize` writes unchanged.
//   node canonicalize.mjs NODE_MODULES
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const { default: canonicalize } = await import(pathToFileURL(`${process.argv[2]}/canonicalize/lib/canonicalize.js`))
function isCanonical (bytes) {
  try {
    return Buffer.from(canonicalize(JSON.parse(bytes.toString('utf8')))).equals(bytes)
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean)
console.log(JSON.stringify(lines.map(line => isCanonical(Buffer.from(JSON.parse(line), 'hex')))))

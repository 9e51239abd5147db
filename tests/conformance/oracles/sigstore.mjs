// Asks @sigstore/verify about entries of a log: is the checkpoint signed, and is the entry in its tree?
//   node sigstore.mjs NODE_MODULES < {"key", "logId", "name", "entries"}
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const modules = resolve(process.argv[2])
const require = createRequire(`${modules}/`)
const { createPublicKey } = require('node:crypto')
const { VerificationError } = require('@sigstore/verify')
const { TransparencyLogEntry } = require('@sigstore/protobuf-specs')
// Not exported: the step of its Verifier that looks at a log's entry alone, without certificates.
const { verifyTLogInclusion } = require(`${modules}/@sigstore/verify/dist/tlog/index.js`)

const { key, logId, name, entries } = JSON.parse(readFileSync(0, 'utf8'))
const authority = {
  logID: Buffer.from(logId, 'base64'),
  publicKey: createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' }),
  baseURL: `https://${name}`,
  validFor: { start: new Date(0), end: new Date(8.64e15) }
}
function accepts (json) {
  try {
    verifyTLogInclusion(TransparencyLogEntry.fromJSON(json), [authority])
    return true
  } catch (error) {
    // Beside its own refusals: numbers that BigInt cannot read, names that are no regular expression.
    if (error instanceof VerificationError || error instanceof SyntaxError || error instanceof RangeError) return false
    throw error
  }
}
console.log(JSON.stringify(entries.map(accepts)))

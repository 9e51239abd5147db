// Flips every bit of an export and of a receipt, in memory, and tells which of them verify_log.mjs does not notice.
//   node flip_bits.mjs POLICY DIR NAME
// Prints JSON: how many bits were tried, and where one was accepted or ended in something else than a named refusal.
import { readFileSync } from 'node:fs'
import { load, parsePolicy, verifyExport, verifyReceipt } from './verify_log.mjs'

const NAMED = ['CheckpointInvalid', 'ConsistencyInvalid', 'EntryInvalid', 'ExportInvalid', 'LogMismatch', 'ProofInvalid',
  'QuorumNotMet', 'SignatureInvalid']
const [, , policyFile, directory, name] = process.argv
const policy = parsePolicy(readFileSync(policyFile, 'latin1'))
const result = { tried: 0, unnoticed: [] }

function tryEveryBit (label, bytes, check) {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7)
    result.tried++
    try {
      check()
      result.unnoticed.push(`${label} bit ${bit}: accepted`)
    } catch (error) {
      if (!NAMED.includes(error.name)) result.unnoticed.push(`${label} bit ${bit}: ${error.stack}`)
    }
    bytes[bit >> 3] ^= 1 << (bit & 7)
  }
}

const files = load(directory)
verifyExport(files, policy)
for (const [file, bytes] of files) tryEveryBit(file, bytes, () => verifyExport(files, policy))
const [leaf, proof] = [readFileSync(`${name}.leaf`), readFileSync(`${name}.proof`)]
verifyReceipt(leaf, proof, policy)
tryEveryBit('leaf', leaf, () => verifyReceipt(leaf, proof, policy))
tryEveryBit('proof', proof, () => verifyReceipt(leaf, proof, policy))
console.log(JSON.stringify(result))

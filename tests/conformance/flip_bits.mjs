// Flips every bit of an export and of a receipt, or of a bundle of evidence, in memory, and tells which of them the
// verifier does not notice. Of a bundle the sums are corrected each time, as a forger would.
//   node flip_bits.mjs POLICY DIR NAME     node flip_bits.mjs POLICY BUNDLE
// Prints JSON: how many bits were tried, and where one was accepted or ended in something else than a named refusal.
import { readFileSync } from 'node:fs'
import { explain, read } from './explain_evidence.mjs'
import { load, parsePolicy, sha256, verifyExport, verifyReceipt } from './verify_log.mjs'

const NAMED = ['CheckpointInvalid', 'ConsistencyInvalid', 'EntryInvalid', 'EvidenceInvalid', 'ExportInvalid', 'LogMismatch',
  'ProofInvalid', 'QuorumNotMet', 'SignatureInvalid']
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

function ofExportAndReceipt () {
  const files = load(directory)
  verifyExport(files, policy)
  for (const [file, bytes] of files) tryEveryBit(file, bytes, () => verifyExport(files, policy))
  const [leaf, proof] = [readFileSync(`${name}.leaf`), readFileSync(`${name}.proof`)]
  verifyReceipt(leaf, proof, policy)
  tryEveryBit('leaf', leaf, () => verifyReceipt(leaf, proof, policy))
  tryEveryBit('proof', proof, () => verifyReceipt(leaf, proof, policy))
}

function ofBundle () {
  const files = read(directory)
  const names = [...files.keys()].filter(name => name !== 'SHA256SUMS').sort()
  const summed = () => Buffer.from(names.map(name => `${sha256(files.get(name)).toString('hex')}  ${name}\n`).join(''))
  explain(new Map(files).set('SHA256SUMS', summed()), policy)
  for (const name of names) tryEveryBit(name, files.get(name), () => explain(new Map(files).set('SHA256SUMS', summed()), policy))
  tryEveryBit('SHA256SUMS', files.get('SHA256SUMS'), () => explain(files, policy))
}

name ? ofExportAndReceipt() : ofBundle()
console.log(JSON.stringify(result))

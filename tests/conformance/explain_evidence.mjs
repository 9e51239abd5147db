// A reader of evidence against a consent ledger, written from docs/ledger-format.md, section 15; its words are read from that page.
//   node explain_evidence.mjs POLICY DIR...
// Prints of each bundle whether it holds and what it proves. Notes, leaves and policies are those of verify_log.mjs beside it.
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import {
  FORMS, PAGE, PROOF, ascii, base64, demand, encode, leafHash, like, nodeHash, openNote, parseLeaf, parsePolicy, rootOf, sha256
} from './verify_log.mjs'

const evident = (holds, why) => demand(holds, 'EvidenceInvalid', why)
const tried = (read, why) => { try { return read() } catch { return evident(false, why) } }
const json = value => Buffer.from(`${encode(value)}\n`)
const hex = bytes => bytes?.toString('hex')
const byName = (map, form) => [...map].sort(([a], [b]) => a < b ? -1 : 1).map(form)
const vkey = ({ name, id, raw }) => `${name}+${id}+${raw.toString('base64')}`
const moment = seconds => new Date(Number(seconds) * 1000).toISOString().replace('Z', '000Z') // Six decimals
const toSecond = time => time?.replace(/\.\d{6}/, '')
const SIDES = ['first', 'second']
const RECEIPTS = SIDES.flatMap(side => [`${side}.leaf`, `${side}.proof`])
// RFC 6962, section 2.1.2: does the proof lead from the root of the first m leaves to that of n? m < n, both BigInt
function leads (m, n, start, end, hashes) {
  let used = 0
  const next = () => hashes[used++] ?? Buffer.alloc(32)
  function roots (m, n, whole) { // Of the first m of these n leaves, and of all
    if (m === n) return whole ? [start, start] : new Array(2).fill(next())
    const half = 1n << BigInt((n - 1n).toString(2).length - 1)
    const [old, all] = m <= half ? roots(m, half, whole) : roots(m - half, n - half, false)
    const sibling = next()
    return m <= half ? [old, nodeHash(all, sibling)] : [nodeHash(sibling, old), nodeHash(sibling, all)]
  }
  if (m === 0n) return start.equals(sha256('')) && !hashes.length
  const [old, all] = roots(m, n, true)
  return used === hashes.length && old.equals(start) && all.equals(end)
}
// Step 1: the form of the parts
function parseParts (files) {
  const text = (name, limit) => evident(files.get(name)?.length <= limit && files.get(name), `file ${name}`) && ascii(files.get(name))
  function hashes (name, text) {
    const lines = text.split('\n')
    const found = evident(lines.pop() === '' && lines.length <= 64 && lines, name).map(line => base64(line, 'EvidenceInvalid'))
    return evident(found.every(hash => hash.length === 32) && found, name)
  }
  const parts = {}
  for (const side of SIDES) text(`${side}.note`, 65536)
  if (RECEIPTS.some(name => files.has(name))) SIDES.forEach(side => text(`${side}.leaf`, 16384) + text(`${side}.proof`, 69632))
  if (files.has('prefix.proof')) {
    const [, size, rest] = evident(/^size (0|[1-9]\d{0,15})\n([^]*)$/.exec(text('prefix.proof', 16384)), 'prefix.proof')
    const [root, ...path] = hashes('prefix.proof', rest)
    parts.prefix = evident(root && { size: BigInt(size), root, path }, 'prefix.proof')
  }
  if (files.has('answer.proof')) parts.answer = hashes('answer.proof', text('answer.proof', 16384))
  if (files.has('told.json')) {
    parts.told = tried(() => JSON.parse(text('told.json', 16384)), 'told.json')
    evident(like('(?=.{1,255}$)[!-~]+( [!-~]+)*')(parts.told?.by) && FORMS.time(parts.told.seen_at), 'told.json')
  }
  return parts
}
// Steps 3 to 5
function judge (files, { prefix, answer, told }, policy) {
  const heads = SIDES.map(side => openNote(files.get(`${side}.note`), { ...policy, quorum: 'none' }))
  demand(heads[0].origin === heads[1].origin, 'LogMismatch', 'two logs')
  const [first, second] = heads[0].size > heads[1].size ? [...heads].reverse() : heads
  const both = [...first.times.keys()].filter(name => second.times.has(name)).sort()
  const found = (verdict, more) => ({ verdict, conclusive: true, heads, first, second, both: /^other|^same/.test(verdict) ? both : [], ...more })
  if (files.has('first.leaf')) {
    const entries = SIDES.map((side, i) => receipt(files, side, heads[i]))
    demand(entries[0].index === entries[1].index, 'ProofInvalid', 'two indices')
    return evident(entries[0].leaf_hash !== entries[1].leaf_hash, 'one entry') && found('other-entry', { entries })
  }
  if (first.size === second.size) return evident(!first.root.equals(second.root), 'one tree') && found('same-size')
  const holds = prefix?.size === first.size && leads(prefix.size, second.size, prefix.root, second.root, prefix.path)
  demand(!prefix || holds, 'ConsistencyInvalid', 'prefix.proof')
  if (prefix && !prefix.root.equals(first.root)) return found('other-prefix', { prefix })
  const returned = both.filter(name => first.times.get(name) > second.times.get(name))
  if (returned.length) return found('rollback', { conclusive: false, returned })
  evident(!prefix && !(answer && leads(first.size, second.size, first.root, second.root, answer)), 'of one history')
  if (told) return found('rollback', { conclusive: false, told })
  return evident(answer, 'nothing shows how the larger tree begins') && found('unanswered', { conclusive: false })
}
function receipt (files, side, head) { // Its members in the manifest
  const [leaf, proof] = [files.get(`${side}.leaf`), files.get(`${side}.proof`)]
  const [{ length }, index, path] = demand(PROOF.exec(ascii(proof)), 'ProofInvalid', `${side}.proof`)
  const hashes = path.split('\n').slice(1).map(line => base64(line, 'ProofInvalid'))
  demand(proof.subarray(length).equals(files.get(`${side}.note`)), 'ProofInvalid', 'another note')
  demand(rootOf(BigInt(index), head.size, leafHash(leaf), hashes).equals(head.root), 'ProofInvalid', 'root')
  const entry = { index: Number(index), leaf_hash: hex(leafHash(leaf)) }
  try { return { ...entry, kind: parseLeaf(leaf).kind, ts: parseLeaf(leaf).ts } } catch { return entry } // The log signed it all the same
}
// Step 6: what follows
function manifest ({ verdict, conclusive, heads, prefix, entries, both, returned, told }) {
  const checkpoints = heads.map(({ size, root, signers, times }) => ({
    size: Number(size), root: hex(root), signed_by: vkey(signers[0]), cosigned: byName(times, ([witness, time]) => ({ witness, time: moment(time) }))
  }))
  return JSON.parse(JSON.stringify({ // Leaves out what is undefined
    format: 'consentgate/evidence/v1', verdict, conclusive, log: heads[0].origin, checkpoints, entries, returned, told,
    prefix: prefix && { size: Number(prefix.size), root: hex(prefix.root) }, cosigned_both: both.length ? both : undefined
  }))
}
const ROWS = [...PAGE.split('<!-- words:')[1].matchAll(/^\| `(.+?)` \| (.+?) \| `(.+)` \|$/gm)]
const kindOf = ({ verdict, told }) => verdict === 'rollback' && told ? 'rollback by word' : verdict
const words = (name, found, values = {}) => ROWS.filter(([, part, of]) => part === name && of.split(', ').includes(`\`${kindOf(found)}\``))
  .map(([, , , text]) => text.replace(/\{(\w+)\}/g, (_, value) => values[value]))
export function proves (found) {
  const [{ first, second, entries = [], prefix, returned = [], told, both }, index] = [found, found.entries?.[0].index]
  const [one, other] = entries.map(entry => words(entry.kind ? 'entry' : 'no entry', found, { ...entry, hash: entry.leaf_hash })[0])
  const values = { first: first.size, second: second.size, index, one, other, root: hex(prefix?.root), by: told?.by, seen_at: toSecond(told?.seen_at) }
  const time = (head, name) => toSecond(moment(head.times.get(name)))
  const back = returned.map(name => words('returned', found, { ...values, witness: name, at: time(second, name), later: time(first, name) }))
  return [back, words('proves', found, values), both.length ? words('both', found, { names: both.join(', ') }) : []].flat(2).join(' ')
}
function wrapped (text, lead = '') {
  const add = ([line, ...lines], word) => lead.length + line.length + 1 + word.length > 100 && line ? [word, line, ...lines]
    : [line ? `${line} ${word}` : word, ...lines] // The newest line first
  return text.split(' ').reduce(add, ['']).reverse().map((line, i) => (i ? ' '.repeat(lead.length) : lead) + line)
}
function explanation (found) {
  const times = found.heads.flatMap(({ times }) => [...times.values()]).sort((a, b) => Number(a - b)).map(time => toSecond(moment(time)))
  const [dated] = times.length ? words('dated', found, { from: times[0], to: times.at(-1) }) : words('undated', found)
  const signed = found.heads.flatMap(({ size, root, signers, times }, i) => [
    '', `The ${SIDES[i]} checkpoint (${SIDES[i]}.note)`, `  entries      ${size}`, `  root         ${hex(root)}`, `  signed by    ${vkey(signers[0])}`,
    ...(times.size ? byName(times, ([name, time]) => `  cosigned by  ${name} at ${toSecond(moment(time))}`) : ['  cosigned by  no known witness'])
  ])
  const lines = [
    words('title', found), '', `Log: ${found.heads[0].origin}`, wrapped(`Conclusive: ${found.conclusive ? 'yes' : 'no'}. Dated by: ${dated}.`), signed,
    '', 'What this proves', wrapped(proves(found), '  '), '', 'What this does not prove', words('limit', found).flatMap(text => wrapped(text, '  - ')),
    '', 'How to check it', wrapped(words('check', found)[0], '  ')
  ]
  return Buffer.from(lines.flat().map(line => `${line}\n`).join(''))
}
function following (files, keys, found) {
  const { verdict, told, heads } = found
  const kept = { 'other-entry': RECEIPTS, 'other-prefix': ['prefix.proof'], unanswered: ['answer.proof'] }[verdict] ?? []
  const logs = keys.logs.filter(key => heads.some(({ signers }) => signers.includes(key))).map(key => `log ${vkey(key)}\n`)
  const signed = [...keys.witnesses.values()].filter(key => heads.some(({ times }) => times.has(key.name)))
  const witnesses = signed.map(key => `witness ${key.name} ${vkey(key)}\n`)
  const follows = new Map([...SIDES.map(side => `${side}.note`), ...kept].map(name => [name, files.get(name)]))
  if (told) follows.set('told.json', json({ by: told.by, seen_at: told.seen_at }))
  follows.set('keys.txt', Buffer.from([...logs.sort(), ...witnesses.sort(), 'quorum none\n'].join('')))
  follows.set('manifest.json', json(manifest(found))).set('explanation.txt', explanation(found))
  return follows.set('SHA256SUMS', Buffer.from(byName(follows, ([name, content]) => `${hex(sha256(content))}  ${name}\n`).join('')))
}
export function explain (files, policy) {
  const [parts, keys] = [parseParts(files), tried(() => parsePolicy(ascii(files.get('keys.txt'))), 'keys.txt')]
  const found = judge(files, parts, keys)
  evident(found.first === found.heads[0] && found.heads.every(({ strangers }) => !strangers), 'notes in the wrong order, or signed by others')
  const follows = following(files, keys, found)
  const agrees = name => files.has(name) && follows.get(name)?.equals(files.get(name))
  for (const name of [...files.keys(), ...follows.keys()]) evident(agrees(name), `${name} is not what follows from notes and proofs`)
  return judge(files, parts, policy)
}
const load = path => readFileSync(evident(lstatSync(path).isFile(), path) && path)
export const read = folder => new Map(readdirSync(folder).map(name => [name, load(`${folder}/${name}`)]))
const [, program, policy, ...folders] = process.argv
for (const folder of program?.endsWith('explain_evidence.mjs') ? folders : []) {
  try {
    const found = explain(read(folder), parsePolicy(readFileSync(policy, 'latin1')))
    console.log(`${folder}: holds: ${found.verdict}, ${found.conclusive ? '' : 'not '}conclusive: ${proves(found)}`)
  } catch (error) { console.log(`${folder}: ${error.name}: ${error.message}`); process.exitCode = 5 }
}

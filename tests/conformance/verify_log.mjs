// A verifier of consent ledgers, written from docs/ledger-format.md alone; its tables of kinds are read from that page.
//   node verify_log.mjs export POLICY DIR...     node verify_log.mjs receipt POLICY NAME...   (NAME.leaf, NAME.proof)
import { createHash, createPublicKey, verify } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'

export const demand = (value, error, why) => { if (value) return value; throw Object.assign(new Error(why), { name: error }) }
export const ascii = bytes => bytes.toString('latin1') // One character per byte: only ASCII matches what is looked for
export const like = pattern => value => typeof value === 'string' && new RegExp(`^(?:${pattern})$`).test(value)
export const base64 = (text, error) => demand(text === Buffer.from(text, 'base64').toString('base64') && Buffer.from(text, 'base64'), error, 'base64')
export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
export const [leafHash, nodeHash] = [leaf => sha256(Buffer.of(0), leaf), (left, right) => sha256(Buffer.of(1), left, right)]
// Section 4: tree
const root = row => row.length < 2 ? row[0] ?? sha256('') : root(row.flatMap((hash, i) => i % 2 ? [] : row[i + 1] ? nodeHash(hash, row[i + 1]) : hash))
export function rootOf (index, size, hash, path) { // Follows the definition; size and index are BigInt
  demand(index < size && (size === 1n) === !path.length, 'ProofInvalid', 'index, or length of the path')
  if (size === 1n) return hash
  const [half, rest, last] = [1n << BigInt((size - 1n).toString(2).length - 1), path.slice(0, -1), path.at(-1)]
  return index < half ? nodeHash(rootOf(index, half, hash, rest), last) : nodeHash(last, rootOf(index - half, size - half, hash, rest))
}
// Sections 1 to 3: leaf
export const FORMS = {
  hex16: like('[0-9a-f]{32}'), hex32: like('[0-9a-f]{64}'), reason: like('[A-Z][A-Z_]{1,48}'),
  integer: value => Number.isSafeInteger(value) && value >= 0,
  identifier: like('(?![0-9a-z]{18}$)(?!(.*[._-])?[0-9a-z]{2}[0-9]{6}[0-9a-z]{10}([._-]|$))[a-z0-9][a-z0-9._-]{0,63}'),
  time: value => like('(?!0000)\\d{4}-\\d\\d-\\d\\dT([01]\\d|2[0-3]):\\d\\d:\\d\\d\\.\\d{6}Z')(value) && !isNaN(Date.parse(value)) && new Date(value).toISOString().slice(0, 19) === value.slice(0, 19)
}
const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const hasKeys = (value, ...keys) => isObject(value) && Object.keys(value).sort().join() === keys.sort().join()
function form (text) { // As the tables write it
  if (text.startsWith('list of ')) return value => Array.isArray(value) && value.every(form(text.slice(8)))
  if (text.startsWith('`')) return value => typeof value === 'string' && text.split(' or ').includes(`\`${value}\``)
  const members = [...text.matchAll(/`(\w+)`: ([a-z0-9 ]+)/g)].map(([, name, of]) => [name, form(of)])
  return FORMS[text] ?? (value => hasKeys(value, ...members.map(([name]) => name)) && members.every(([name, holds]) => holds(value[name])))
}
export const PAGE = readFileSync(new URL('../../docs/ledger-format.md', import.meta.url), 'utf8')
const fields = part => [...part.matchAll(/^\| `(\w+)` \| (.+?) \| (required|optional) \|/gm)].map(([, name, text, need]) => [name, [form(text), need]])
const KINDS = new Map(PAGE.split('<!-- kinds:')[1].split('\n### ').slice(1).map(part => [part.split('\n')[0], new Map(fields(part))]))
export const encode = value => Array.isArray(value) ? `[${value.map(encode)}]` : !isObject(value) ? JSON.stringify(value)
  : `{${Object.keys(value).sort().map(key => `${JSON.stringify(key)}:${encode(value[key])}`)}}`
export function parseLeaf (leaf) {
  const check = (holds, field) => demand(holds, 'EntryInvalid', `field ${field}`)
  let entry
  try { entry = leaf.length <= 16384 && JSON.parse(ascii(leaf)) } catch { check(false, 'leaf') }
  check(hasKeys(entry, 'body', 'kind', 'log', 'nonce', 'prev', 'seq', 'ts', 'v') && encode(entry) === ascii(leaf), 'leaf')
  const { body, kind, log, nonce, prev, seq, ts, v } = entry
  check(v === 1 && like('[!#-*,-\\[\\]-~]{1,255}')(log) && FORMS.hex16(nonce) && FORMS.hex32(prev) && FORMS.integer(seq) && FORMS.time(ts) && KINDS.has(kind) && isObject(body), 'members')
  for (const [name, [, need]] of KINDS.get(kind)) check(need === 'optional' || Object.hasOwn(body, name), name)
  for (const [name, value] of Object.entries(body)) check(KINDS.get(kind).get(name)?.[0](value), name)
  return entry
}
// Section 6: policy
export function parsePolicy (text) {
  const [logs, witnesses, groups, members, quorums] = [[], new Map(), new Map(), [], []]
  const check = holds => demand(holds, 'PolicyInvalid', 'policy')
  const known = name => witnesses.has(name) || groups.has(name)
  const fresh = name => check(like('(?!none$)[!-~]{1,255}')(name) && !known(name)) && name
  function key (text, type) {
    const [, name, id, encoded] = check(/^([!-*,-~]{1,255})\+([0-9a-f]{8})\+(.+)$/.exec(text))
    const raw = base64(encoded, 'PolicyInvalid')
    check(raw.length === 33 && raw[0] === type && sha256(name + '\n', raw).toString('hex', 0, 4) === id)
    const y = BigInt.asUintN(255, BigInt(`0x${Buffer.from(raw.subarray(1)).reverse().toString('hex')}`))
    check(y * (y ** 2n - 1n) * (121665n * y ** 4n - 243332n * y ** 2n + 121666n) % (2n ** 255n - 19n))
    check([...logs, ...witnesses.values()].every(other => !other.raw.subarray(1).equals(raw.subarray(1)) && (other.name !== name || other.id !== id)))
    return { name, id, raw, publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url', 1) }, format: 'jwk' }) }
  }
  for (const line of check(like('[\\t\\n -~]*')(text)) && text.split('\n')) {
    const [word = '#', a, b, ...more] = line.match(/[^ \t]+/g) ?? []
    if (word === 'log' && a && !more.length) logs.push(key(a, 1))
    else if (word === 'witness' && b && more.length < 2) witnesses.set(fresh(a), key(b, 4))
    else if (word === 'group' && more.length && check(more.every(known))) {
      const k = { any: 1, all: more.length }[b] ?? (like('[1-9]\\d{0,2}')(b) ? Number(b) : Infinity)
      groups.set(check(k <= more.length) && fresh(a), { k, members: more }) && members.push(...more)
    } else if (word[0] !== '#') check(word === 'quorum' && a && !b && (a === 'none' || known(a))) && quorums.push(a)
  }
  check(quorums.length === 1 && new Set(members).size === members.length && Math.max(logs.length, witnesses.size, groups.size) <= 64)
  return { logs, witnesses, groups, quorum: quorums[0] }
}
// Section 5: steps 2 to 6 of section 8
export function openNote (note, { logs, witnesses, groups, quorum }) {
  const check = (value, why) => demand(value, 'CheckpointInvalid', why)
  const cut = note.lastIndexOf('\n\n') + 1
  const [text, lines] = [note.subarray(0, cut), note.subarray(cut + 1).toString().split('\n')]
  check(note.length <= 65536 && !/[\0-\x09\x0b-\x1f]/.test(ascii(note)) && Buffer.from(note.toString()).equals(note) && cut && lines.pop() === '' && lines.length > 0 && lines.length <= 64, 'note')
  const signatures = lines.map(line => {
    const [, name, encoded] = check(/^\u2014 ([^\p{White_Space}+]+) ([!-~]+)$/u.exec(line), 'signature line')
    const raw = base64(encoded, 'CheckpointInvalid')
    return check(raw.length > 4, 'signature line') && { name, id: raw.toString('hex', 0, 4), bytes: raw.subarray(4) }
  })
  const by = key => signatures.filter(({ name, id }) => name === key.name && id === key.id)
  function opened (key, skip, prefix) { // The time in front of the signature
    const [{ bytes }, second] = by(key)
    const time = BigInt('0x0' + bytes.toString('hex', 0, skip))
    return demand(!second && bytes.length === skip + 64 && time <= 253402300799n && verify(null, Buffer.concat([Buffer.from(prefix(time)), text]),
      key.publicKey, bytes.subarray(skip)), 'SignatureInvalid', `signature of ${key.name}`) && time
  }
  const signers = logs.filter(key => by(key).length && opened(key, 0, () => '') === 0n)
  const [log] = demand(signers.length && signers, 'SignatureInvalid', 'no log of the policy signed')
  const [, origin, size, encoded] = check(/^([^\n]+)\n(0|[1-9]\d{0,15})\n([^\n]+)\n$/.exec(text.toString()), 'three lines')
  const head = { origin, size: BigInt(size), root: base64(encoded, 'CheckpointInvalid'), signers }
  check(head.root.length === 32 && head.size < 2n ** 53n, 'size or root') && demand(origin === log.name, 'LogMismatch', 'origin')
  const times = new Map([...witnesses].filter(([, key]) => by(key).length)
    .map(([name, key]) => [name, opened(key, 8, time => `cosignature/v1\ntime ${time}\n`)]))
  const reached = name => witnesses.has(name) ? times.get(name) : groups.get(name).members.map(reached).filter(time => time !== undefined).sort((a, b) => Number(b - a))[groups.get(name).k - 1]
  const witnessed = quorum === 'none' ? null : reached(quorum)
  return demand(witnessed !== undefined, 'QuorumNotMet', 'quorum') && { ...head, witnessed, times, strangers: signatures.length - signers.length - times.size }
}
// Section 7: receipt
export const PROOF = /^c2sp\.org\/tlog-proof@v1\nindex (0|[1-9]\d{0,15})((?:\n[A-Za-z0-9+/]{43}=){0,63})\n\n/
export function verifyReceipt (leaf, proof, policy) {
  const check = (value, why) => demand(value, 'ProofInvalid', why)
  const [{ length }, index, path] = check(proof.length <= 69632 && PROOF.exec(ascii(proof)), 'form')
  const hashes = path.split('\n').slice(1).map(line => base64(line, 'ProofInvalid'))
  const head = openNote(proof.subarray(length), policy)
  demand(head.witnessed !== null, 'QuorumNotMet', 'the policy names no quorum') && demand(leaf.length <= 16384, 'EntryInvalid', 'leaf')
  check(rootOf(BigInt(index), head.size, leafHash(leaf), hashes).equals(head.root), 'root')
  const entry = parseLeaf(leaf)
  return demand(entry.log === head.origin, 'LogMismatch', 'log') && check(String(entry.seq) === index, 'seq') && head
}
// Section 12: export, as a Map of names to bytes
export function verifyExport (files, policy) {
  const file = name => demand(files.get(name), 'ExportInvalid', `no file ${name}`)
  const [head, names, hashes] = [openNote(file('checkpoint'), policy), [...files.keys()].sort(), []]
  const check = (holds, why) => demand(holds, 'ExportInvalid', why)
  const parts = names.filter(name => name.startsWith('entries/')).map((name, i) => {
    const lines = check(name === `entries/${String(65536 * i).padStart(12, '0')}.jsonl`, name) && ascii(file(name)).split('\n')
    return demand(lines.pop() === '', 'EntryInvalid', `${name}: the last leaf has no newline`) && lines
  })
  check(parts.length && parts.every(({ length }, i) => length <= 65536 && (length === 65536 || i === parts.length - 1)), 'entries')
  for (const leaf of parts.flat().map(line => Buffer.from(line, 'latin1'))) {
    const [entry, before] = [parseLeaf(leaf), hashes.at(-1)?.toString('hex') ?? '0'.repeat(64)]
    demand(entry.log === head.origin, 'LogMismatch', `leaf ${hashes.length}`) && demand(entry.seq === hashes.length && entry.prev === before, 'ConsistencyInvalid', `leaf ${hashes.length}`)
    hashes.push(leafHash(leaf))
  }
  demand(BigInt(hashes.length) === head.size && root(hashes).equals(head.root), 'ConsistencyInvalid', 'size or root')
  const known = new Set(['checkpoint', 'SHA256SUMS'])
  for (let [level, row] = [0, hashes]; row.length; level++) {
    const tiles = Array.from({ length: Math.ceil(row.length / 256) }, (_, i) => row.slice(256 * i, 256 * i + 256))
    for (const [i, tile] of tiles.entries()) {
      const digits = String(i).padStart(3 * Math.ceil(String(i).length / 3), '0').replace(/\d{3}(?=\d)/g, 'x$&/')
      const name = `tile/${level}/${digits}${tile.length < 256 ? `.p/${tile.length}` : ''}`
      check(known.add(name) && file(name).equals(Buffer.concat(tile)), name)
    }
    row = tiles.filter(tile => tile.length === 256).map(root)
  }
  const sums = names.map(name => name === 'SHA256SUMS' ? '' : `${sha256(file(name)).toString('hex')}  ${name}\n`)
  const defined = name => known.has(name) || /^(entries\/\d{12}\.jsonl|timestamps\/\d{12}\.(note|tst))$/.test(name)
  return check(ascii(file('SHA256SUMS')) === sums.join('') && names.every(defined), 'SHA256SUMS, or a file that belongs to no export') && head
}
export const load = folder => new Map(readdirSync(folder, { recursive: true }).filter(name => !lstatSync(`${folder}/${name}`).isDirectory())
  .map(name => [name, demand(lstatSync(`${folder}/${name}`).isFile(), 'ExportInvalid', name) && readFileSync(`${folder}/${name}`)]))
const [, program, what, policy, ...paths] = process.argv
for (const path of program?.endsWith('verify_log.mjs') ? paths : []) {
  try {
    const trusted = parsePolicy(readFileSync(policy, 'latin1'))
    const { origin, size, witnessed } = what === 'export' ? verifyExport(load(path), trusted)
      : verifyReceipt(readFileSync(`${path}.leaf`), readFileSync(`${path}.proof`), trusted)
    console.log(`${path}: holds: ${origin} of size ${size}, witnessed ${witnessed}`)
  } catch (error) { console.log(`${path}: ${error.name}: ${error.message}`); process.exitCode = 5 }
}

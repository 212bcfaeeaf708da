/**
 * The signer process: the one place that loads the module of a token (PKCS #11 v2.40), which is foreign code in the process that loads it. It has no
 * network and no database; it is told what to sign over the channel to its parent, and ends with it.
 */
import pkcs11js from 'pkcs11js'
import type { SignerAnswer, SignerRequest, TokenCurve } from './pkcs11-message.ts'

/** OIDs of the curves, DER: CKA_EC_PARAMS. */
const curves: Readonly<Record<TokenCurve, string>> = { 'ec-p256': '06082a8648ce3d030107', 'ec-p384': '06052b81040022' }
const signatureBytes = 132
const maxObjects = 10_000

type Session = Buffer
type Token = { readonly module: pkcs11js.PKCS11; readonly sessions: Session[]; readonly waiting: ((session: Session) => void)[] }
type Body = SignerAnswer extends infer A ? (A extends unknown ? Omit<A, 'id'> : never) : never

let token: Token | undefined
const handles = new Map<string, Buffer>()

process.on('message', (request: SignerRequest) => {
  void answer(request).then(
    (body) => process.send?.({ ...body, id: request.id }),
    (failure: unknown) => process.send?.({ ...refusal(failure), id: request.id }),
  )
})
process.on('disconnect', () => process.exit())

async function answer(request: SignerRequest): Promise<Body> {
  if (request.kind === 'open') return openToken(request)
  if (token === undefined) return { kind: 'failed', reason: 'other', detail: 'the token is not open' }
  const { module } = token
  switch (request.kind) {
    case 'list':
      return { kind: 'names', names: await withSession((session) => names(module, session)) }
    case 'find':
      return withSession((session) => publicKey(module, session, request.name))
    case 'create':
      return withSession((session) => create(module, session, request.name, request.curve))
    case 'sign':
      return withSession((session) => sign(module, session, request.name, Buffer.from(request.digest)))
    case 'remove':
      return withSession((session) => remove(module, session, request.name))
    default:
      return { kind: 'failed', reason: 'other', detail: 'an unknown request' }
  }
}

function openToken({ module: path, token: label, pin, sessions }: Extract<SignerRequest, { kind: 'open' }>): Body {
  const module = new pkcs11js.PKCS11()
  module.load(path)
  // Sessions sign in several threads at a time, against which a module guards itself only where it is told to (§5.4).
  module.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.replace(/[\s\0]+$/, '') === label)
  if (slot === undefined) return { kind: 'failed', reason: 'missing', detail: `there is no token ${label}` }
  const flags = pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION
  const opened = Array.from({ length: sessions }, () => module.C_OpenSession(slot, flags))
  // One login counts for all sessions of a process (§5.6.7).
  module.C_Login(opened[0] as Buffer, pkcs11js.CKU_USER, pin)
  token = { module, sessions: opened, waiting: [] }
  return { kind: 'done' }
}

/** A session does one thing at a time. */
async function withSession<T>(work: (session: Session) => T | Promise<T>): Promise<T> {
  const { sessions, waiting } = token as Token
  const session = sessions.pop() ?? (await new Promise<Session>((resolve) => waiting.push(resolve)))
  try {
    return await work(session)
  } finally {
    const next = waiting.shift()
    if (next === undefined) sessions.push(session)
    else next(session)
  }
}

function find(module: pkcs11js.PKCS11, session: Session, template: pkcs11js.Template): readonly Buffer[] {
  module.C_FindObjectsInit(session, template)
  try {
    return module.C_FindObjects(session, maxObjects)
  } finally {
    module.C_FindObjectsFinal(session)
  }
}

function names(module: pkcs11js.PKCS11, session: Session): readonly string[] {
  return find(module, session, [{ type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY }]).map((key) => {
    const [label] = module.C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_LABEL }])
    return label?.value.toString('utf8') ?? ''
  })
}

function objects(module: pkcs11js.PKCS11, session: Session, kind: number, name: string): readonly Buffer[] {
  return find(module, session, [
    { type: pkcs11js.CKA_CLASS, value: kind },
    { type: pkcs11js.CKA_LABEL, value: name },
  ])
}

function publicKey(module: pkcs11js.PKCS11, session: Session, name: string): Body {
  const [key] = objects(module, session, pkcs11js.CKO_PUBLIC_KEY, name)
  const [secret, second] = objects(module, session, pkcs11js.CKO_PRIVATE_KEY, name)
  if (key === undefined || secret === undefined) return missing(name)
  if (second !== undefined) return { kind: 'failed', reason: 'other', detail: `the token has two keys called ${name}` }
  const [parameters, point] = module
    .C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_EC_PARAMS }, { type: pkcs11js.CKA_EC_POINT }])
    .map(({ value }) => value)
  const curve = (Object.keys(curves) as TokenCurve[]).find((each) => curves[each] === parameters?.toString('hex'))
  if (curve === undefined || point === undefined)
    return { kind: 'failed', reason: 'other', detail: `${name} is on a curve that is not served` }
  // An OCTET STRING around the point (§2.3.3 of the mechanisms), which some modules leave out.
  return { kind: 'key', curve, point: point[0] === 0x04 && point[1] === point.length - 2 ? point.subarray(2) : point }
}

function create(module: pkcs11js.PKCS11, session: Session, name: string, curve: TokenCurve): Body {
  if (objects(module, session, pkcs11js.CKO_PRIVATE_KEY, name).length > 0) {
    return { kind: 'failed', reason: 'exists', detail: `the token has a key called ${name}` }
  }
  const common = [
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_LABEL, value: name },
    { type: pkcs11js.CKA_ID, value: Buffer.from(name) },
  ]
  module.C_GenerateKeyPair(
    session,
    { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
    [...common, { type: pkcs11js.CKA_VERIFY, value: true }, { type: pkcs11js.CKA_EC_PARAMS, value: Buffer.from(curves[curve], 'hex') }],
    [
      ...common,
      { type: pkcs11js.CKA_PRIVATE, value: true },
      { type: pkcs11js.CKA_SENSITIVE, value: true },
      { type: pkcs11js.CKA_EXTRACTABLE, value: false },
      { type: pkcs11js.CKA_SIGN, value: true },
    ],
  )
  return publicKey(module, session, name)
}

async function sign(module: pkcs11js.PKCS11, session: Session, name: string, digest: Buffer): Promise<Body> {
  const known = handles.get(name) ?? objects(module, session, pkcs11js.CKO_PRIVATE_KEY, name)[0]
  if (known === undefined) return missing(name)
  handles.set(name, known)
  module.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, known)
  return { kind: 'signature', signature: await module.C_SignAsync(session, digest, Buffer.alloc(signatureBytes)) }
}

function remove(module: pkcs11js.PKCS11, session: Session, name: string): Body {
  const [key] = objects(module, session, pkcs11js.CKO_PRIVATE_KEY, name)
  if (key === undefined) return missing(name)
  handles.delete(name)
  module.C_DestroyObject(session, key)
  return { kind: 'done' }
}

function missing(name: string): Body {
  return { kind: 'failed', reason: 'missing', detail: `the token has no key ${name}` }
}

function refusal(failure: unknown): Body {
  const detail = failure instanceof Error ? failure.message : 'the token failed'
  return { kind: 'failed', reason: /PIN/.test(detail) ? 'pin' : 'other', detail }
}

import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { z } from 'zod'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { readBody } from './body.ts'
import {
  createKeyInput,
  decryptInput,
  describeKeyInput,
  encryptInput,
  generateDataKeyInput,
  generateMacInput,
  keyInput,
  signInput,
} from './kms-inputs.ts'
import { type Interference, Interferences } from './kms-interference.ts'
import {
  arnOf,
  isSigning,
  type KeySpec,
  type KeyState,
  macOf,
  type MasterKey,
  MasterKeys,
  open,
  publicKeyOf,
  seal,
  signatureOf,
  SIGNING_ALGORITHMS,
} from './kms-keys.ts'
import { close, listen, LOOPBACK } from './ports.ts'

/**
 * A stand-in for AWS KMS on one machine. It speaks the JSON 1.1 protocol to the standard SDK client, uses the service's error
 * names, and binds the encryption context as AAD. Code that uses the service runs against it unchanged.
 *
 * It is not KMS: master keys are in a file, signatures are not checked, and key use is not logged.
 *
 * @source https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html
 */
export interface KmsStandIn {
  readonly endpoint: string
  /** Number of requests so far, of one operation (`Decrypt`) or of all. */
  calls(operation?: string): number
  /** Makes every use of the key fail with DisabledException. */
  disable(keyId: string): void
  /** Makes every use of the key behave as in that state. */
  setState(keyId: string, state: KeyState): void
  /** Applies the interference to every request for the key. Undefined ends it. */
  interfere(keyId: string, how: Interference | undefined): void
  stop(): Promise<void>
}

export interface KmsOptions {
  /** The file of the master keys, mode 0600. Without it, they are in memory. */
  readonly file?: string
  /** 0 or undefined selects a free port. */
  readonly port?: number
  /** Aliases to create at the start, each with a key of its own, for instance `alias/phi-local`. */
  readonly aliases?: readonly string[]
  /** Aliases to create at the start, each with a key of that algorithm, which signs or computes MACs. */
  readonly signing?: Readonly<Record<string, Exclude<KeySpec, 'SYMMETRIC_DEFAULT'>>>
}

/** Enough for 4 KiB of plaintext in base64 and a context of 8 KiB. */
const BODY_LIMIT = 64 * 1024

/**
 * Starts the stand-in on the loopback address.
 *
 * @throws PortInUse
 * @throws StageRefused in a production process
 */
export async function startKms({ file, port = 0, aliases = [], signing = {} }: KmsOptions = {}): Promise<KmsStandIn> {
  refuseProductionIfNamed(process.env)
  const keys = new MasterKeys(file)
  for (const alias of aliases) if (!keys.find(alias)) keys.create(alias)
  for (const [alias, spec] of Object.entries(signing)) if (!keys.find(alias)) keys.create(alias, spec)
  const interferences = new Interferences()
  const counts = new Map<string, number>()

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const operation = /^TrentService\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1] ?? ''
    counts.set(operation, (counts.get(operation) ?? 0) + 1)
    try {
      // a web page can send this header to another site only after a CORS preflight, which this server does not answer
      if (request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') !== true)
        throw new KmsFault('MissingAuthenticationTokenException')
      const body = await readBody(request, BODY_LIMIT)
      if (!body) throw new KmsFault('ValidationException')
      const input = parseJson(body)
      const interference = await interferences.at(requestedKey(keys, input))
      if (interference === 'CUT') return void response.destroy()
      if (interference === 'THROTTLED') throw new KmsFault('ThrottlingException')
      send(response, 200, operate(keys, operation, input))
    } catch (error) {
      const type = error instanceof KmsFault ? error.type : 'KMSInternalException'
      send(response, error instanceof KmsFault ? 400 : 500, { __type: type, message: 'The request was refused.' })
    }
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const bound = await listen(server, port)

  const setState = (keyId: string, state: KeyState): void => keys.setState(required(keys.find(keyId)), state)
  return {
    endpoint: `http://${LOOPBACK}:${bound}`,
    calls: (operation) =>
      operation === undefined ? [...counts.values()].reduce((sum, n) => sum + n, 0) : (counts.get(operation) ?? 0),
    disable: (keyId) => setState(keyId, 'Disabled'),
    setState,
    interfere: (keyId, how) => interferences.set(required(keys.find(keyId)), how),
    stop: () => close(server),
  }
}

type FaultType =
  | 'AccessDeniedException'
  | 'DisabledException'
  | 'IncorrectKeyException'
  | 'InvalidCiphertextException'
  | 'InvalidKeyUsageException'
  | 'KMSInvalidStateException'
  | 'MissingAuthenticationTokenException'
  | 'NotFoundException'
  | 'ThrottlingException'
  | 'UnknownOperationException'
  | 'ValidationException'

class KmsFault extends Error {
  override readonly name = 'KmsFault'
  readonly type: FaultType
  constructor(type: FaultType) {
    super(type)
    this.type = type
  }
}

/** The key that a request names, even if the request then fails. */
function requestedKey(keys: MasterKeys, input: unknown): MasterKey | undefined {
  const { KeyId, CiphertextBlob } = keyInput.safeParse(input).data ?? {}
  return KeyId === undefined ? CiphertextBlob && keys.keyOf(CiphertextBlob) : keys.find(KeyId)
}

function operate(keys: MasterKeys, operation: string, body: unknown): object {
  switch (operation) {
    case 'CreateKey': {
      const { KeySpec, KeyUsage } = parse(createKeyInput, body)
      if (KeyUsage !== usageOf(KeySpec)) throw new KmsFault('ValidationException')
      return { KeyMetadata: metadata(keys.create(undefined, KeySpec)) }
    }
    case 'DescribeKey': {
      const key = required(keys.find(parse(describeKeyInput, body).KeyId))
      if (key.state === 'Denied') throw new KmsFault('AccessDeniedException')
      return { KeyMetadata: metadata(key) }
    }
    case 'GenerateDataKey': {
      const input = parse(generateDataKeyInput, body)
      const key = usable(encrypting(required(keys.find(input.KeyId))))
      const plaintext = randomBytes(input.NumberOfBytes ?? (input.KeySpec === 'AES_128' ? 16 : 32))
      const blob = seal(key, plaintext, input.EncryptionContext)
      return { KeyId: arnOf(key), Plaintext: plaintext.toString('base64'), CiphertextBlob: blob.toString('base64') }
    }
    case 'Encrypt': {
      const input = parse(encryptInput, body)
      const key = usable(encrypting(required(keys.find(input.KeyId))))
      const blob = seal(key, input.Plaintext, input.EncryptionContext)
      return { KeyId: arnOf(key), CiphertextBlob: blob.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
    }
    case 'Decrypt': {
      const input = parse(decryptInput, body)
      const key = keys.keyOf(input.CiphertextBlob)
      if (!key) throw new KmsFault('InvalidCiphertextException')
      if (input.KeyId !== undefined && required(keys.find(input.KeyId)) !== key) throw new KmsFault('IncorrectKeyException')
      const plaintext = open(usable(key), input.CiphertextBlob, input.EncryptionContext)
      if (!plaintext) throw new KmsFault('InvalidCiphertextException')
      return { KeyId: arnOf(key), Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
    }
    case 'GenerateMac': {
      const input = parse(generateMacInput, body)
      const key = usable(required(keys.find(input.KeyId)))
      if (key.spec !== 'HMAC_256') throw new KmsFault('InvalidKeyUsageException')
      return { KeyId: arnOf(key), Mac: macOf(key, input.Message).toString('base64'), MacAlgorithm: input.MacAlgorithm }
    }
    case 'Sign': {
      const input = parse(signInput, body)
      const key = usable(signing(required(keys.find(input.KeyId))))
      if (algorithmOf(key) !== input.SigningAlgorithm) throw new KmsFault('InvalidKeyUsageException')
      const signature = signatureOf(key, input.Message)
      return { KeyId: arnOf(key), Signature: signature.toString('base64'), SigningAlgorithm: input.SigningAlgorithm }
    }
    case 'GetPublicKey': {
      const key = usable(signing(required(keys.find(parse(describeKeyInput, body).KeyId))))
      return {
        KeyId: arnOf(key),
        PublicKey: publicKeyOf(key).toString('base64'),
        KeySpec: key.spec,
        KeyUsage: 'SIGN_VERIFY',
        SigningAlgorithms: [algorithmOf(key)],
      }
    }
    default:
      throw new KmsFault('UnknownOperationException')
  }
}

const algorithmOf = ({ spec }: MasterKey): string | undefined => (isSigning(spec) ? SIGNING_ALGORITHMS[spec] : undefined)

const usageOf = (spec: KeySpec): 'ENCRYPT_DECRYPT' | 'GENERATE_VERIFY_MAC' | 'SIGN_VERIFY' =>
  isSigning(spec) ? 'SIGN_VERIFY' : spec === 'HMAC_256' ? 'GENERATE_VERIFY_MAC' : 'ENCRYPT_DECRYPT'

function encrypting(key: MasterKey): MasterKey {
  if (key.spec !== 'SYMMETRIC_DEFAULT') throw new KmsFault('InvalidKeyUsageException')
  return key
}

function signing(key: MasterKey): MasterKey {
  if (!isSigning(key.spec)) throw new KmsFault('InvalidKeyUsageException')
  return key
}

function required(key: MasterKey | undefined): MasterKey {
  if (!key) throw new KmsFault('NotFoundException')
  return key
}

function usable(key: MasterKey): MasterKey {
  switch (key.state) {
    case 'Enabled':
      return key
    case 'Disabled':
      throw new KmsFault('DisabledException')
    case 'PendingDeletion':
      throw new KmsFault('KMSInvalidStateException')
    case 'Denied':
      throw new KmsFault('AccessDeniedException')
    default:
      return key.state satisfies never
  }
}

function metadata(key: MasterKey): object {
  return {
    KeyId: key.id,
    Arn: arnOf(key),
    CreationDate: key.createdAt / 1000,
    Enabled: key.state === 'Enabled',
    KeyState: key.state === 'Denied' ? 'Enabled' : key.state,
    KeySpec: key.spec,
    KeyManager: 'CUSTOMER',
    KeyUsage: usageOf(key.spec),
    ...(key.spec === 'SYMMETRIC_DEFAULT' && { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] }),
    ...(key.spec === 'HMAC_256' && { MacAlgorithms: ['HMAC_SHA_256'] }),
    ...(isSigning(key.spec) && { SigningAlgorithms: [algorithmOf(key)] }),
  }
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (!result.success) throw new KmsFault('ValidationException')
  return result.data
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new KmsFault('ValidationException')
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() })
  response.end(JSON.stringify(body))
}

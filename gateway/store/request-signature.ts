import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

/** The credentials that sign, in the form of the SDK. */
export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Headers by name, in lower case. */
export type Headers = Record<string, string>

const ALGORITHM = 'AWS4-HMAC-SHA256'
/** Proxies may change it. */
const UNSIGNED = 'user-agent'

/**
 * Signs POST requests for the path `/` with AWS Signature Version 4.
 *
 * The signer of the SDK derives the key and sorts out the form of every request: a third of the time of a small call.
 * This one keeps the key of the day.
 *
 * Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request"
 */
export class RequestSigner {
  readonly #credentials: SigningCredentials
  readonly #region: string
  readonly #service: string
  #key: { readonly day: string; readonly secret: KeyObject } | undefined

  constructor(credentials: SigningCredentials, region: string, service: string) {
    this.#credentials = credentials
    this.#region = region
    this.#service = service
  }

  /**
   * The headers of a request with its signature.
   *
   * @param headers without spaces at their ends or in sequence
   * @param at milliseconds since the epoch, by the clock of the service
   */
  sign(headers: Headers, at: number): Headers {
    const { accessKeyId, sessionToken } = this.#credentials
    const time = `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/gu, '')}Z`
    const day = time.slice(0, 8)
    const signed: Headers = { ...headers, 'x-amz-date': time }
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken
    const names = Object.keys(signed)
      .filter((name) => name !== UNSIGNED)
      .sort()
    const lines = names.map((name) => `${name}:${signed[name] ?? ''}\n`).join('')
    const list = names.join(';')
    const canonical = `POST\n/\n\n${lines}\n${list}\n${headers['x-amz-content-sha256'] ?? ''}`
    const scope = `${day}/${this.#region}/${this.#service}/aws4_request`
    const signature = createHmac('sha256', this.#keyOf(day))
      .update(`${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', canonical)}`)
      .digest('hex')
    signed['authorization'] = `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${list}, Signature=${signature}`
    return signed
  }

  #keyOf(day: string): KeyObject {
    if (this.#key?.day === day) return this.#key.secret
    let key: string | Buffer = `AWS4${this.#credentials.secretAccessKey}`
    for (const part of [day, this.#region, this.#service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
    const secret = createSecretKey(key as Buffer)
    this.#key = { day, secret }
    return secret
  }
}

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { close, listen, LOOPBACK } from '../../infra/local/ports.ts'
import type { ServiceCall } from '../hostile/faults.ts'
import { type SimulatedRequest, simulate } from '../infra/policy-simulation.ts'
import { ACCOUNT, ResolvedTemplate } from '../infra/resolved-template.ts'
import type { StsStandIn } from './sts.ts'

/**
 * The decisions of IAM about the requests of the function for auditors, by an evaluator over the template: with the policy of its role,
 * or with that of the role of readers and the session policy that STS was asked for. AWS itself did not decide.
 */
export interface IamGuard {
  readonly template: ResolvedTemplate
  /** The requests that were decided: `Allowed dynamodb:Query ARN`. */
  readonly decided: readonly string[]
  /** Whether all actions of a call to DynamoDB are allowed. */
  allowsCall(call: ServiceCall): Promise<boolean>
  allowsObject(request: SimulatedRequest, sessionToken: string | undefined): Promise<boolean>
}

/** @param tables the local names of tables, by the id of their resource */
export function iamGuard(sts: Pick<StsStandIn, 'sessions'>, tables: ReadonlyMap<string, string>): IamGuard {
  const template = new ResolvedTemplate()
  const decided: string[] = []
  const deployed = new Map([...tables].map(([id, name]) => [name, template.nameOf(id)]))

  /** A session policy names the tables of this test. */
  const renamed = (policy: string): unknown =>
    JSON.parse([...deployed].reduce((text, [local, name]) => text.replaceAll(`:table/${local}`, `:table/${name}`), policy))

  const decide = async (request: SimulatedRequest, sessionToken: string | undefined): Promise<boolean> => {
    const session = sts.sessions.find(({ token }) => token === sessionToken)
    if (sessionToken !== undefined && session === undefined) return false
    const role = session === undefined ? 'AuditRole' : 'AuditReaderRole'
    const answer = await simulate(request, {
      principal: `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/phi-gateway-audit`,
      policies: template.policiesOf(role),
      ...(session !== undefined && { sessionPolicy: renamed(session.policy) }),
    })
    decided.push(`${answer} ${role} ${request.action} ${request.resource}`)
    return answer === 'Allowed'
  }
  return {
    template,
    decided,
    allowsObject: decide,
    allowsCall: async (call) => {
      const requests = requestsOf(call, (local) => {
        const id = [...tables].find(([, name]) => name === local)?.[0]
        return id === undefined ? `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/unknown` : template.arnOf(id)
      })
      // a call whose form is unknown has no request
      const answers = await Promise.all(requests.map((request) => decide(request, call.sessionToken)))
      return answers.length > 0 && answers.every(Boolean)
    },
  }
}

type Values = Readonly<Record<string, { readonly S?: string }>>
/** The attributes of partition keys, of tables and of indexes. */
const KEY = /^(?:l|pk|gp|gu)$/

function requestsOf({ operation, json }: ServiceCall, arnOf: (table: string) => string): SimulatedRequest[] {
  const keyOf = (key: Values): string => Object.entries(key).find(([name]) => KEY.test(name))?.[1].S ?? ''
  const request = (action: string, table: string, keys: string[], more = {}): SimulatedRequest => ({
    action: `dynamodb:${action}`,
    resource: table,
    context: { 'dynamodb:LeadingKeys': keys, ...more },
  })
  const table = arnOf(String(json['TableName']))
  switch (operation) {
    case 'GetItem':
    case 'UpdateItem':
      return [request(operation, table, [keyOf(json['Key'] as Values)])]
    case 'Query': {
      const [, , place = ''] = /^\s*(\w+) = (:\w+)/.exec(String(json['KeyConditionExpression'])) ?? []
      const key = (json['ExpressionAttributeValues'] as Values)[place]?.S ?? ''
      const { IndexName: name } = json
      const index = typeof name === 'string' ? `/index/${name}` : ''
      return [request(operation, table + index, [key])]
    }
    case 'BatchGetItem':
      return Object.entries(json['RequestItems'] as Record<string, { Keys: Values[] }>).map(([name, { Keys }]) =>
        request(operation, arnOf(name), Keys.map(keyOf)),
      )
    case 'TransactWriteItems':
      return (json['TransactItems'] as Record<string, { TableName: string; Item?: Values }>[]).flatMap((action) =>
        Object.entries(action).map(([kind, { TableName, Item = {} }]) =>
          request(`${kind}Item`, arnOf(TableName), [keyOf(Item)], { 'dynamodb:EnclosingOperation': operation }),
        ),
      )
    default:
      return []
  }
}

export interface GuardedObjects {
  readonly endpoint: string
  /** Answers nothing more, until it is set back. */
  isDown: boolean
  stop(): Promise<void>
}

/** S3 with several buckets, before their stand-ins. A request that IAM refuses gets AccessDenied. */
export async function guardObjects(guard: IamGuard, buckets: ReadonlyMap<string, string>): Promise<GuardedObjects> {
  const guarded = { isDown: false }
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming)
    const url = new URL(incoming.url ?? '/', `http://${LOOPBACK}`)
    const [, bucket = '', key = ''] = /^\/([^/]+)\/?(.*)$/.exec(decodeURIComponent(url.pathname)) ?? []
    const endpoint = buckets.get(bucket)
    if (guarded.isDown || endpoint === undefined) {
      outgoing.destroy()
      return
    }
    const arn = `arn:aws:s3:::${bucket}`
    const method = incoming.method ?? ''
    const request: SimulatedRequest =
      key === ''
        ? { action: 's3:ListBucket', resource: arn, context: { 's3:prefix': url.searchParams.get('prefix') ?? '' } }
        : { action: `s3:${{ GET: 'Get', PUT: 'Put', DELETE: 'Delete' }[method] ?? 'Restore'}Object`, resource: `${arn}/${key}` }
    const token = incoming.headers['x-amz-security-token']
    if (!(await guard.allowsObject(request, token?.toString()))) {
      const text = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>The request was refused.</Message></Error>'
      outgoing.writeHead(403, { 'content-type': 'application/xml', 'x-amz-request-id': randomUUID() }).end(text)
      return
    }
    const forwarded = send(endpoint + (incoming.url ?? '/'), { method, headers: incoming.headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    forwarded.end(body)
  }
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const port = await listen(server, 0)
  return Object.assign(guarded, {
    endpoint: `http://${LOOPBACK}:${port}`,
    stop: async () => {
      server.closeAllConnections()
      await close(server)
    },
  })
}

import { answerEvent } from '../../../../gateway/http/lambda-event.ts'
import { startHttpApi } from '../../../../infra/local/api-gateway.ts'
import { fetchToken } from '../../../../infra/local/token.ts'
import { type RunningClinic, runClinic } from '../../../harness/running-clinic.ts'

/** The clinic as clients meet it: the function behind a local HTTP API, and tokens for requests. */
export interface ServedClinic {
  readonly clinic: RunningClinic
  /** `http://127.0.0.1:PORT/graphql` */
  readonly url: string
  /** The number of requests so far, which shows whether a client used its cache. */
  readonly requests: () => number
  token(user: string): Promise<string>
  stop(): Promise<void>
}

export async function serveClinic(patients: { riverside?: number; lakeside?: number } = {}): Promise<ServedClinic> {
  const clinic = await runClinic(patients)
  let requests = 0
  // like functions/graphql.ts, over services that the test can inspect
  const handler: Parameters<typeof startHttpApi>[0]['routes']['POST /graphql'] = async (event, context) => {
    requests += 1
    return await answerEvent((request) => clinic.gateway.handle(request), event, context, clinic.services.now())
  }
  const api = await startHttpApi({
    port: 0,
    routes: { 'POST /graphql': handler, 'GET /graphql': handler, 'OPTIONS /graphql': handler },
  })
  return {
    clinic,
    url: `${api.url}/graphql`,
    requests: () => requests,
    token: (user) => fetchToken(clinic.stack, user),
    stop: async () => {
      await api.stop()
      await clinic.stop()
    },
  }
}

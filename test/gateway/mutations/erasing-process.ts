import { servedClinic } from '../../../functions/served-clinic.ts'
import { composeGateway, openServices } from '../../../gateway/compose.ts'
import { APPROVE } from './erasure-desk.ts'

// A process that approves one erasure. A test ends it by kill -9.

const env = { ...process.env, PHI_STAGE: 'test' }
const services = openServices(env)
const gateway = await composeGateway(services, env, servedClinic())
await gateway.handle({
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env['TOKEN'] ?? ''}` },
  body: JSON.stringify({ query: APPROVE, variables: { id: process.env['ERASURE'] } }),
  sourceIp: '127.0.0.1',
})
await gateway.stop()
services.close()

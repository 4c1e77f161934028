import '@apollo/client'

// Apollo Client has the defaults declared that change what a query gives
declare module '@apollo/client' {
  namespace ApolloClient {
    namespace DeclareDefaultOptions {
      interface Query {
        errorPolicy?: 'all'
      }
      interface WatchQuery {
        errorPolicy?: 'all'
      }
      interface Mutate {
        errorPolicy?: 'all'
      }
    }
  }
}

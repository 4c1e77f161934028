import '@apollo/client'

// Declares the defaults to Apollo Client, because they change the type of a query's result.
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

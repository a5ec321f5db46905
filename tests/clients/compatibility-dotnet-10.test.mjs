// The .NET client 10 from NuGet.

import { dotnetClient } from "./compatibility/dotnet.mjs";
import { matrix } from "./compatibility/matrix.mjs";

matrix(dotnetClient("10.0.15"));

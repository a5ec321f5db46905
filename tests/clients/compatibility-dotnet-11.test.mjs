// The .NET client 11 from NuGet.

import { dotnetClient } from "./compatibility/dotnet.mjs";
import { matrix } from "./compatibility/matrix.mjs";

matrix(dotnetClient("11.0.0"));
